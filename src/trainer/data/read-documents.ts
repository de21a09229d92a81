/**
 * Reads a person's own text: files and folders of .txt, .md and .jsonl, as bytes. Nothing is decoded or normalised,
 * and nothing read here ever leaves the machine. spec/trainer.md#data
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { TapestryError } from '../../protocol/errors.ts';

/** Most bytes of text that one peer loads; they are held in memory. */
const maxBytes = 2 ** 31;

const endings: readonly string[] = ['.txt', '.md', '.jsonl'];
const hint = 'Give a folder or a file of .txt, .md or .jsonl text.';

/**
 * The documents of all paths: a text file is one, a .jsonl file has one a line. Folders are read with all that is below
 * them, in the order of their paths; links and files of other kinds in them are passed over.
 * @param textField name of the field that holds the text of a .jsonl line
 * @returns at least one document, none empty
 * @throws {TapestryError} `data-missing`, `data-kind`, `data-empty`, `data-line`, `data-too-large`
 */
export async function readDocuments(paths: readonly string[], textField = 'text'): Promise<Uint8Array[]> {
  const documents: Uint8Array[] = [];
  let bytes = 0;
  for (const path of paths) {
    const before = documents.length;
    for (const file of await listFiles(path)) {
      bytes += (await stat(file)).size;
      if (bytes > maxBytes) {
        throw new TapestryError(
          'data-too-large',
          `The text up to ${file} is ${bytes} bytes; a peer holds at most ${maxBytes}.`,
          'Give fewer files.',
          { file, bytes },
        );
      }
      documents.push(...(await readFileDocuments(file, textField)));
    }
    if (documents.length === before) {
      throw new TapestryError('data-empty', `There is no text in ${path}.`, hint, { path });
    }
  }
  return documents;
}

async function listFiles(path: string): Promise<string[]> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'there is no such file or folder' : cause.message;
    throw new TapestryError('data-missing', `Cannot read text from ${path}: ${reason}.`, hint, { path }, cause);
  });
  if (found.isFile()) {
    if (!endings.includes(extname(path))) {
      throw new TapestryError('data-kind', `${path} is not .txt, .md or .jsonl.`, hint, { path });
    }
    return [path];
  }
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && endings.includes(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

async function readFileDocuments(file: string, textField: string): Promise<Uint8Array[]> {
  const bytes = await readFile(file);
  if (extname(file) !== '.jsonl') {
    return bytes.length === 0 ? [] : [bytes];
  }
  const lines = bytes.toString('utf8').split('\n');
  return lines.flatMap((line, at) => {
    if (line.trim() === '') {
      return [];
    }
    const text = readText(line, textField);
    if (text === null) {
      throw new TapestryError(
        'data-line',
        `${file}:${at + 1}: expected a JSON object with text in the field "${textField}"; found ${line.slice(0, 60)}`,
        'Correct or remove this line.',
        { file, line: at + 1 },
      );
    }
    return text === '' ? [] : [Buffer.from(text)];
  });
}

function readText(line: string, field: string): string | null {
  try {
    const value: unknown = (JSON.parse(line) as Record<string, unknown> | null)?.[field];
    return typeof value === 'string' ? value : null;
  } catch {
    return null;
  }
}
