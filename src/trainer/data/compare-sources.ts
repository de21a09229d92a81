/**
 * Notices that files of text are no longer those that were packed: by size, by time of change, and, where only the
 * time differs, by SHA-256. spec/data.md#packs
 */
import { createHash } from 'node:crypto';
import type { PackRecord, PackSource, PackTokenizer } from './pack-record.ts';
import { openSource, readBytes, type SourceFile } from './source-file.ts';

/** What a pack is asked to be made from. */
export interface WantedPack {
  readonly tokenizer: PackTokenizer;
  readonly textField: string;
  readonly files: readonly SourceFile[];
}

/** What has changed, a line each, and the sources with their present times. */
export interface SourceChanges {
  readonly changes: readonly string[];
  readonly sources: readonly PackSource[];
}

const chunkBytes = 2 ** 20;
const maxNamed = 5;

/** Compares a record with what is wanted now. Files are read only where nothing else can tell. */
export async function findChanges(record: PackRecord, wanted: WantedPack): Promise<SourceChanges> {
  const changes: string[] = [];
  if (JSON.stringify(record.tokenizer) !== JSON.stringify(wanted.tokenizer)) {
    changes.push('the tokenizer is another');
  }
  if (record.textField !== wanted.textField) {
    changes.push(`the text is in the field "${wanted.textField}", not "${record.textField}"`);
  }
  const sources: PackSource[] = [];
  const packed = new Map(record.sources.map((source) => [source.path, source]));
  for (const file of wanted.files) {
    const source = packed.get(file.path);
    packed.delete(file.path);
    if (source === undefined) {
      changes.push(`${file.path} is new`);
    } else if (source.size !== file.size) {
      changes.push(`${file.path} has ${file.size} bytes instead of ${source.size}`);
    } else if (source.mtimeMs !== file.mtimeMs && (await hashFile(file)) !== source.sha256) {
      changes.push(`${file.path} has other content`);
    } else {
      sources.push({ ...source, mtimeMs: file.mtimeMs });
    }
  }
  changes.push(...[...packed.keys()].map((path) => `${path} is gone`));
  if (changes.length === 0 && sources.some(({ path }, index) => path !== record.sources[index]!.path)) {
    changes.push('the files come in another order');
  }
  return { changes: shorten(changes), sources };
}

/**
 * SHA-256 of a file's bytes, hex.
 * @param onBytes is told of every chunk, may throw to stop
 * @throws {TapestryError} `data-changed` when the file has become shorter
 */
export async function hashFile({ path, size }: SourceFile, onBytes?: (count: number) => void): Promise<string> {
  const hash = createHash('sha256');
  const handle = await openSource(path);
  try {
    for (let offset = 0; offset < size; offset += chunkBytes) {
      const chunk = await readBytes(handle, path, offset, Math.min(chunkBytes, size - offset));
      hash.update(chunk);
      onBytes?.(chunk.length);
    }
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}

function shorten(changes: readonly string[]): readonly string[] {
  const more = changes.length - maxNamed;
  return more <= 1 ? changes : [...changes.slice(0, maxNamed), `and ${more} more`];
}
