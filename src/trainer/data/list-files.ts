/** From the paths that a person gave to the files of text behind them, in a fixed order. spec/data.md#sources */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { TapestryError } from '../../protocol/errors.ts';
import { compareText } from '../../protocol/hex.ts';
import type { SourceFile, TextFormat } from './source-file.ts';

const formats: Readonly<Record<string, TextFormat>> = {
  '.txt': 'text',
  '.md': 'text',
  '.jsonl': 'jsonl',
  '.parquet': 'parquet',
};
const hint = 'Give a folder or a file of .txt, .md, .jsonl or .parquet text.';

/**
 * The files of all paths, in the order of the paths; folders with all that is below them, in the order of their paths.
 * A file that is found twice counts once. Links, empty files and files of other kinds in folders are passed over.
 * @returns at least one file; every path has some
 * @throws {TapestryError} `data-missing`, `data-kind`, `data-empty`
 */
export async function listFiles(paths: readonly string[]): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  const known = new Set<string>();
  for (const path of paths) {
    let texts = 0;
    for (const file of await listPath(path)) {
      const { size, mtimeMs } = await stat(file);
      texts += size > 0 ? 1 : 0;
      if (size > 0 && !known.has(file)) {
        known.add(file);
        files.push({ path: file, format: formats[extname(file)]!, size, mtimeMs });
      }
    }
    if (texts === 0) {
      throw new TapestryError('data-empty', `There is no text in ${path}.`, hint, { path });
    }
  }
  return files;
}

async function listPath(path: string): Promise<string[]> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === 'ENOENT' ? 'there is no such file or folder' : cause.message;
    throw new TapestryError('data-missing', `Cannot read text from ${path}: ${reason}.`, hint, { path }, cause);
  });
  if (!found.isDirectory()) {
    if (!found.isFile() || !(extname(path) in formats)) {
      throw new TapestryError('data-kind', `${path} is not .txt, .md, .jsonl or .parquet.`, hint, { path });
    }
    return [path];
  }
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && extname(entry.name) in formats)
    .map((entry) => join(entry.parentPath, entry.name))
    .sort(compareText);
}
