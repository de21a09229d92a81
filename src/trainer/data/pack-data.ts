/**
 * Turns files of text into token shards, once: reuses what is there, goes on where it was interrupted, begins anew
 * where a file has changed. spec/data.md#packs
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TapestryError } from '../../protocol/errors.ts';
import { loadTokenizer, type Tokenizer, type TokenizerSource } from '../tokenizer/tokenizer.ts';
import { findNextRule, type SplitRule } from './block-splitter.ts';
import { findChanges, hashFile, type SourceChanges, type WantedPack } from './compare-sources.ts';
import { listFiles } from './list-files.ts';
import { findDamage } from './open-pack.ts';
import {
  computeTokenBytes,
  describeTokenizer,
  type PackRecord,
  packFile,
  packingFile,
  readPackRecord,
  writePackRecord,
} from './pack-record.ts';
import { listOwnFiles, type PackHooks, PackWriter, removePack, rewindFiles } from './pack-writer.ts';
import { splitSources } from './split-sources.ts';
import { noText } from './text-counts.ts';

/** What packing works on and how it is watched. */
export interface PackInit {
  /** files and folders; absolute, so that a pack is known again from everywhere */
  readonly paths: readonly string[];
  /** made when missing; may hold nothing but a pack */
  readonly folder: string;
  readonly tokenizer: TokenizerSource;
  /** field of .jsonl lines and column of .parquet files; `text` when not given */
  readonly textField?: string;
  /** what is noticed on the way, a line each: files that changed, that packing goes on */
  readonly onNotice?: (line: string) => void;
  /** bytes of the files done, and of all; at first they are hashed, then packed. May throw to stop at once. */
  readonly onProgress?: (phase: 'hash' | 'pack', done: number, of: number) => void;
  /** stops after a durable point; packing rejects with the signal's reason */
  readonly signal?: AbortSignal;
  readonly limits?: Partial<PackLimits>;
}

/** Sizes in bytes; none of them changes a token. */
export interface PackLimits {
  /** of a full shard; 256 MiB */
  readonly shardBytes: number;
  /** of text between two durable points; 16 MiB */
  readonly checkpointBytes: number;
  /** of a piece of a document; 1 MiB */
  readonly pieceBytes: number;
}

/** What packing did. */
export interface PackReport {
  readonly folder: string;
  readonly outcome: 'packed' | 'resumed' | 'reused';
  readonly record: PackRecord;
}

const defaultLimits: PackLimits = { shardBytes: 2 ** 28, checkpointBytes: 2 ** 24, pieceBytes: 2 ** 20 };

/** Whoever packs may lock the folder; this module does not. */
const lockFile = /^lock\./;

/**
 * Packs text into a folder. Afterwards `openPack` opens it. An error in the text leaves nothing behind; an
 * interruption leaves what the next call goes on from.
 * @throws {TapestryError} those of `listFiles`, `readPieces` and `loadTokenizer`; `pack-folder`, `pack-write`, `data-empty`,
 * `data-changed` when a file changed meanwhile
 */
export async function packData(init: PackInit): Promise<PackReport> {
  const { folder, onNotice = () => {} } = init;
  const files = await listFiles(init.paths);
  const tokenizer = await loadTokenizer(init.tokenizer);
  const textField = init.textField ?? 'text';
  const wanted: WantedPack = { tokenizer: describeTokenizer(tokenizer), textField, files };
  await requirePackFolder(folder);
  const finished = await findFinished(folder, wanted, onNotice);
  if (finished !== null) {
    return { folder, outcome: 'reused', record: finished };
  }
  const begun = await findBegun(folder, wanted, onNotice);
  const record = begun ?? (await begin(init, wanted));
  return {
    folder,
    outcome: begun === null ? 'packed' : 'resumed',
    record: await finish(init, wanted, record, tokenizer),
  };
}

/** A finished pack that is what is wanted, with the present times of its files; null if there is none. */
async function findFinished(
  folder: string,
  wanted: WantedPack,
  onNotice: (line: string) => void,
): Promise<PackRecord | null> {
  const record = await readPackRecord(folder, packFile);
  if (record === null) {
    return null;
  }
  const damage = record === 'damaged' ? `${packFile} is unreadable` : await findDamage(folder, record);
  if (record === 'damaged' || damage !== null) {
    onNotice(`The pack is damaged (${damage}): packing again.`);
    return null;
  }
  const found = await findChanges(record, wanted);
  if (found.changes.length > 0) {
    onNotice(`Packing again: ${found.changes.join(', ')}.`);
    return null;
  }
  return refresh(folder, packFile, record, found);
}

/** An interrupted packing that can go on; null if there is none. */
async function findBegun(
  folder: string,
  wanted: WantedPack,
  onNotice: (line: string) => void,
): Promise<PackRecord | null> {
  const record = await readPackRecord(folder, packingFile);
  if (record === null || record === 'damaged') {
    return null;
  }
  const found = await findChanges(record, wanted);
  if (found.changes.length > 0) {
    onNotice(`The interrupted packing starts over: ${found.changes.join(', ')}.`);
    return null;
  }
  if (!(await rewindFiles(folder, record))) {
    onNotice('The interrupted packing starts over: files of it are missing.');
    return null;
  }
  onNotice('Going on with an interrupted packing.');
  return refresh(folder, packingFile, record, found);
}

/** Writes down times that changed while the content did not. */
async function refresh(folder: string, name: string, record: PackRecord, found: SourceChanges): Promise<PackRecord> {
  const { sources } = found;
  if (sources.every(({ mtimeMs }, index) => mtimeMs === record.sources[index]!.mtimeMs)) {
    return record;
  }
  const refreshed = { ...record, sources };
  await writePackRecord(folder, name, refreshed);
  return refreshed;
}

/** Hashes the files and writes down that packing has begun. */
async function begin(init: PackInit, { files, textField, tokenizer }: WantedPack): Promise<PackRecord> {
  const { folder, signal, onProgress } = init;
  const { shardBytes } = { ...defaultLimits, ...init.limits };
  await removePack(folder);
  const of = files.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const sources = [];
  for (const file of files) {
    const sha256 = await hashFile(file, (count) => {
      done += count;
      signal?.throwIfAborted();
      onProgress?.('hash', done, of);
    });
    sources.push({ ...file, sha256, documents: 0, training: noText, validation: noText });
  }
  const tokenBytes = computeTokenBytes(tokenizer.vocabSize);
  const shardTokens = Math.max(1, Math.floor(shardBytes / tokenBytes));
  const plan = { format: 'tapestry-pack', version: 1, tokenizer, textField, tokenBytes, shardTokens } as const;
  return restart({ ...plan, ...emptyPack, rule: { kind: 'share' }, sources }, folder);
}

const emptyPack = {
  progress: null,
  documents: 0,
  length: { training: 0, validation: 0 },
  runs: { training: 0, validation: 0 },
};

async function restart(record: PackRecord, folder: string): Promise<PackRecord> {
  const sources = record.sources.map((source) => ({ ...source, documents: 0, training: noText, validation: noText }));
  const empty = { ...record, ...emptyPack, sources };
  await rewindFiles(folder, empty);
  await writePackRecord(folder, packingFile, empty);
  return empty;
}

/** Packs what is left, and again by another rule where one side got nothing. */
async function finish(
  init: PackInit,
  wanted: WantedPack,
  record: PackRecord,
  tokenizer: Tokenizer,
): Promise<PackRecord> {
  const { folder } = init;
  try {
    let state = record;
    for (;;) {
      const { done, next } = await packOnce(init, wanted, state, tokenizer);
      if (next === null) {
        return done!;
      }
      state = await restart({ ...state, rule: next }, folder);
    }
  } catch (error) {
    if (error instanceof TapestryError && error.code.startsWith('data-')) {
      await removePack(folder);
    }
    throw error;
  }
}

async function packOnce(
  init: PackInit,
  wanted: WantedPack,
  state: PackRecord,
  tokenizer: Tokenizer,
): Promise<{ done: PackRecord | null; next: SplitRule | null }> {
  const { folder, signal, onProgress } = init;
  const { checkpointBytes, pieceBytes } = { ...defaultLimits, ...init.limits };
  const { files, textField } = wanted;
  const of = files.reduce((sum, { size }) => sum + size, 0);
  const hooks: PackHooks = {
    checkpointBytes,
    onProgress: (bytes) => onProgress?.('pack', bytes, of),
    ...(signal === undefined ? {} : { signal }),
  };
  const writer = new PackWriter(folder, state, tokenizer, hooks);
  try {
    const { rule, progress } = state;
    const seen = await splitSources({ files, textField, rule, pieceBytes, from: progress }, writer);
    if (seen.lowest === '') {
      throw new TapestryError('data-empty', `There is no text in ${init.paths.join(', ')}.`, 'Give other files.', {
        paths: init.paths,
      });
    }
    const next = findNextRule(rule, seen);
    if (next !== null) {
      return { done: null, next };
    }
    await requireUnchanged(init, wanted, state);
    const done = await writer.checkpoint(packFile, null);
    await rm(join(folder, packingFile), { force: true });
    return { done, next };
  } finally {
    writer.close();
  }
}

async function requireUnchanged(init: PackInit, wanted: WantedPack, record: PackRecord): Promise<void> {
  const { changes } = await findChanges(record, { ...wanted, files: await listFiles(init.paths) });
  if (changes.length > 0) {
    throw new TapestryError(
      'data-changed',
      `The text changed while it was packed: ${changes.join(', ')}.`,
      'Start again when nobody writes to it any more.',
      { changes },
    );
  }
}

/**
 * Makes a folder for a pack. Nothing of anybody else's may be in it: its files will be cut and removed.
 * @throws {TapestryError} `pack-folder`
 */
export async function requirePackFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const own = await listOwnFiles(folder);
  const other = (await readdir(folder)).find((name) => !own.includes(name) && !lockFile.test(name));
  if (other !== undefined) {
    throw new TapestryError(
      'pack-folder',
      `${folder}: expected an empty folder or a pack, found ${other}.`,
      'Choose another folder.',
      { folder, found: other },
    );
  }
}
