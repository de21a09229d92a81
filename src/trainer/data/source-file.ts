/** A file of text, the documents in it, and its bytes. spec/data.md#sources */
import { type FileHandle, open } from 'node:fs/promises';
import { TapestryError } from '../../protocol/errors.ts';

/** How a file holds its documents. */
export type TextFormat = 'text' | 'jsonl' | 'parquet';

/** A file of text as it was found. */
export interface SourceFile {
  readonly path: string;
  readonly format: TextFormat;
  /** bytes, greater than 0 */
  readonly size: number;
  readonly mtimeMs: number;
}

/** Where a document begins in its file. */
export interface DocumentPlace {
  /** number of the document within the file, from 0; empty ones are not counted */
  readonly document: number;
  /** first byte of its line in .jsonl, row in .parquet, else 0 */
  readonly cursor: number;
  /** lines before its own in .jsonl, else 0 */
  readonly line: number;
}

/** A document's text from some byte on. */
export interface DocumentText {
  readonly place: DocumentPlace;
  /** UTF-8, not empty */
  readonly text: Uint8Array;
  /** bytes of the file up to the end of the document, for progress */
  readonly readBytes: number;
}

/** Opens a file of text. @throws {TapestryError} `data-missing` */
export async function openSource(path: string): Promise<FileHandle> {
  return open(path).catch((cause: Error) => {
    throw new TapestryError(
      'data-missing',
      `Cannot read text from ${path}: ${cause.message}.`,
      'Correct the rights of the file, or leave it out.',
      { path },
      cause,
    );
  });
}

/** Bytes of a file, all of them. @throws {TapestryError} `data-changed` when it has become shorter */
export async function readBytes(handle: FileHandle, path: string, start: number, count: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(count);
  for (let done = 0; done < count; ) {
    const { bytesRead } = await handle.read(bytes, done, count - done, start + done);
    if (bytesRead === 0) {
      throw new TapestryError(
        'data-changed',
        `${path} has become shorter while it was read: expected ${start + count} bytes, found ${start + done}.`,
        'Start again when nobody writes to it any more.',
        { path },
      );
    }
    done += bytesRead;
  }
  return bytes;
}
