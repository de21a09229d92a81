/** The documents of a .jsonl file: the text of one field of every line. spec/data.md#sources */
import type { FileHandle } from 'node:fs/promises';
import { TapestryError } from '../../protocol/errors.ts';
import { type DocumentPlace, type DocumentText, readBytes, type SourceFile } from './source-file.ts';

/** Longest line, in bytes: a line is parsed as a whole. */
const maxLineBytes = 64 * 2 ** 20;
const chunkBytes = 2 ** 20;
const newline = 0x0a;

/**
 * Reads the lines from a place on; empty lines and empty texts are passed over.
 * @throws {TapestryError} `data-line` with the file and the number of the line
 */
export async function* readJsonLines(
  handle: FileHandle,
  file: SourceFile,
  field: string,
  from: DocumentPlace,
): AsyncGenerator<DocumentText> {
  let { document, cursor, line } = from;
  for await (const bytes of readLines(handle, file, from)) {
    const text = parseLine(bytes, file.path, line, field);
    const end = Math.min(cursor + bytes.length + 1, file.size);
    if (text !== null && text.length > 0) {
      yield { place: { document, cursor, line }, text, readBytes: end };
      document += 1;
    }
    cursor = end;
    line += 1;
  }
}

/** The lines of a file without their ends. */
async function* readLines(handle: FileHandle, file: SourceFile, from: DocumentPlace): AsyncGenerator<Buffer> {
  let line = from.line;
  let parts: Buffer[] = [];
  let length = 0;
  for (let offset = from.cursor; offset < file.size; ) {
    const chunk = await readBytes(handle, file.path, offset, Math.min(chunkBytes, file.size - offset));
    offset += chunk.length;
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]);
      parts = [];
      length = 0;
      start = end + 1;
      line += 1;
    }
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > maxLineBytes) {
      throw badLine(file.path, line, `at most ${maxLineBytes} bytes`, 'more', undefined);
    }
  }
  if (length > 0) {
    yield Buffer.concat(parts);
  }
}

/** The text of a line, null for an empty line. */
function parseLine(bytes: Buffer, path: string, line: number, field: string): Uint8Array | null {
  let value: unknown;
  try {
    const json = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (json.trim() === '') {
      return null;
    }
    value = JSON.parse(json);
  } catch (cause) {
    throw badLine(path, line, 'JSON', bytes.toString('utf8', 0, 60), cause);
  }
  const text = (value as Record<string, unknown> | null)?.[field];
  if (typeof text !== 'string') {
    throw badLine(
      path,
      line,
      `a JSON object with text in the field "${field}"`,
      bytes.toString('utf8', 0, 60),
      undefined,
    );
  }
  return Buffer.from(text);
}

function badLine(path: string, line: number, expected: string, found: string, cause: unknown): TapestryError {
  return new TapestryError(
    'data-line',
    `${path}:${line + 1}: expected ${expected}; found ${found}`,
    'Correct or remove this line; another field is named with --field.',
    { file: path, line: line + 1 },
    cause,
  );
}
