/**
 * The documents of a file as a stream of small pieces, from any place on: a document may be larger than memory.
 * Nothing is normalised. spec/data.md#sources
 */
import type { FileHandle } from 'node:fs/promises';
import { cutBeforeCharacter } from './cut-text.ts';
import { readJsonLines } from './read-json-lines.ts';
import { readParquetTexts } from './read-parquet-texts.ts';
import { type DocumentPlace, openSource, readBytes, type SourceFile } from './source-file.ts';

/** A part of one document. */
export interface Piece {
  readonly path: string;
  readonly place: DocumentPlace;
  /** bytes of the document before this piece */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** true for the document's last piece */
  readonly last: boolean;
  /** bytes of the file up to here, for progress */
  readonly readBytes: number;
}

/** Where to begin: a document's place, and bytes of its text that are wanted no more. */
export interface PieceStart {
  readonly place: DocumentPlace;
  readonly offset: number;
}

/** The first byte of a file. */
export const firstPiece: PieceStart = { place: { document: 0, cursor: 0, line: 0 }, offset: 0 };

/** Most bytes of a piece. */
export const defaultPieceBytes: number = 2 ** 20;

/**
 * Reads a file's documents, cut into pieces where no UTF-8 character is split.
 * @param textField the field of a .jsonl line and the column of a .parquet file that hold the text
 * @param pieceBytes most bytes of a piece, 8 or greater
 * @throws {TapestryError} `data-missing`, `data-line`, `data-parquet`, `data-changed`
 */
export async function* readPieces(
  file: SourceFile,
  textField: string,
  from: PieceStart = firstPiece,
  pieceBytes: number = defaultPieceBytes,
): AsyncGenerator<Piece> {
  const handle = await openSource(file.path);
  try {
    if (file.format === 'text') {
      yield* readText(handle, file, from.offset, pieceBytes);
      return;
    }
    const texts =
      file.format === 'jsonl'
        ? readJsonLines(handle, file, textField, from.place)
        : readParquetTexts(handle, file, textField, from.place);
    for await (const { place, text, readBytes } of texts) {
      let offset = place.document === from.place.document ? from.offset : 0;
      while (offset < text.length) {
        const end = text.length - offset <= pieceBytes ? text.length : cutBeforeCharacter(text, offset + pieceBytes);
        const last = end === text.length;
        yield { path: file.path, place, offset, bytes: text.subarray(offset, end), last, readBytes };
        offset = end;
      }
    }
  } finally {
    await handle.close();
  }
}

async function* readText(
  handle: FileHandle,
  file: SourceFile,
  start: number,
  pieceBytes: number,
): AsyncGenerator<Piece> {
  const { path, size } = file;
  for (let offset = start; offset < size; ) {
    const bytes = await readBytes(handle, path, offset, Math.min(pieceBytes, size - offset));
    const last = offset + bytes.length === size;
    const length = last ? bytes.length : cutBeforeCharacter(bytes, bytes.length - 1);
    const piece = { path, place: firstPiece.place, offset, bytes: bytes.subarray(0, length), last };
    offset += length;
    yield { ...piece, readBytes: offset };
  }
}
