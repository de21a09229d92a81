/**
 * Writes the shards and the document index of one pack and counts what goes in. Durable points are written on request:
 * from the last one packing goes on, whatever ended it. spec/data.md#packs
 */
import { readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { AppendFile } from './append-file.ts';
import type { Side } from './block-splitter.ts';
import {
  documentEntryBytes,
  documentsFile,
  listPackFiles,
  type PackRecord,
  type PackSource,
  packFile,
  packingFile,
  writePackRecord,
} from './pack-record.ts';
import { ShardWriter } from './shard-writer.ts';
import type { DocumentPlace } from './source-file.ts';
import type { SplitHandler, SplitProgress } from './split-sources.ts';
import { addCounts, countCharacters } from './text-counts.ts';

/** Text after which other work of this process gets its turn. */
const turnBytes = 2 ** 18;

const ours = /^(training|validation)-\d{5}\.tokens$|^documents\.index$|^pack(ing)?\.json(\.tmp)?$/;

/** How packing is watched and stopped. */
export interface PackHooks {
  /** bytes of the files that were read */
  readonly onProgress: (bytes: number) => void;
  readonly signal?: AbortSignal;
  /** bytes of text between two durable points */
  readonly checkpointBytes: number;
}

/** Takes the runs of `splitSources`. */
export class PackWriter implements SplitHandler {
  readonly #folder: string;
  readonly #tokenizer: Tokenizer;
  readonly #hooks: PackHooks;
  readonly #record: PackRecord;
  readonly #shards: Readonly<Record<Side, ShardWriter>>;
  readonly #index: AppendFile;
  readonly #sources: PackSource[];
  readonly #runs: { training: number; validation: number };
  #documents: number;
  #sinceCheckpoint = 0;
  #sinceTurn = 0;

  /** @param record where to go on; the files in the folder have exactly what it says */
  constructor(folder: string, record: PackRecord, tokenizer: Tokenizer, hooks: PackHooks) {
    this.#folder = folder;
    this.#tokenizer = tokenizer;
    this.#hooks = hooks;
    this.#record = record;
    this.#shards = {
      training: new ShardWriter(folder, 'training', record, record.length.training),
      validation: new ShardWriter(folder, 'validation', record, record.length.validation),
    };
    this.#index = new AppendFile(join(folder, documentsFile));
    this.#sources = [...record.sources];
    this.#runs = { ...record.runs };
    this.#documents = record.documents;
  }

  onDocument(source: number, { document }: DocumentPlace): void {
    const entry = Buffer.alloc(documentEntryBytes);
    entry.writeUInt32LE(source, 0);
    entry.writeUInt32LE(document, 4);
    entry.writeBigUInt64LE(BigInt(this.#shards.training.length), 8);
    entry.writeBigUInt64LE(BigInt(this.#shards.validation.length), 16);
    this.#index.append(entry);
    this.#documents += 1;
    const counts = this.#sources[source]!;
    this.#sources[source] = { ...counts, documents: counts.documents + 1 };
  }

  onText(source: number, side: Side, text: Uint8Array): void {
    const { tokens, unknowns } = this.#tokenizer.encodeCounted(text);
    this.#shards[side].append(tokens);
    const counts = this.#sources[source]!;
    const characters = countCharacters(text);
    const more = { bytes: text.length, characters, tokens: tokens.length, unknowns };
    this.#sources[source] = { ...counts, [side]: addCounts(counts[side], more) };
    this.#sinceCheckpoint += text.length;
    this.#sinceTurn += text.length;
  }

  onRunEnd(_source: number, side: Side): void {
    this.#shards[side].append([this.#tokenizer.separator]);
    this.#runs[side] += 1;
  }

  async beforePiece(progress: SplitProgress, readBytes: number): Promise<void> {
    const { onProgress, signal, checkpointBytes } = this.#hooks;
    if (this.#sinceTurn >= turnBytes) {
      this.#sinceTurn = 0;
      await setImmediate();
    }
    if (signal?.aborted || this.#sinceCheckpoint >= checkpointBytes) {
      await this.checkpoint(packingFile, progress);
      this.#sinceCheckpoint = 0;
      signal?.throwIfAborted();
    }
    onProgress(readBytes);
  }

  /** Everything up to `progress` is on the disk, and the record says so, when this resolves. */
  async checkpoint(name: string, progress: SplitProgress | null): Promise<PackRecord> {
    const { training, validation } = this.#shards;
    training.sync();
    validation.sync();
    this.#index.sync();
    const record = {
      ...this.#record,
      progress,
      documents: this.#documents,
      length: { training: training.length, validation: validation.length },
      runs: { ...this.#runs },
      sources: this.#sources,
    };
    await writePackRecord(this.#folder, name, record);
    return record;
  }

  /** Gives the files back; twice is fine. */
  close(): void {
    this.#shards.training.close();
    this.#shards.validation.close();
    this.#index.close();
  }
}

/**
 * Cuts the files of a folder back to what a record says, and removes those that it does not know.
 * @returns false when a file has less than that: the record cannot be gone on from
 */
export async function rewindFiles(folder: string, record: PackRecord): Promise<boolean> {
  const expected = new Map(listPackFiles(record).map(({ name, size }) => [name, size]));
  for (const [name, size] of expected) {
    const found = await stat(join(folder, name)).catch(() => null);
    if ((found?.size ?? 0) < size) {
      return false;
    }
    if (found !== null) {
      await truncate(join(folder, name), size);
    }
  }
  for (const name of await listOwnFiles(folder)) {
    if (!expected.has(name) && name !== packingFile) {
      await rm(join(folder, name));
    }
  }
  return true;
}

/** Removes a pack, finished or not; what says that it is one goes first. */
export async function removePack(folder: string): Promise<void> {
  for (const name of [packFile, packingFile, ...(await listOwnFiles(folder))]) {
    await rm(join(folder, name), { force: true });
  }
}

/** The files of a folder that are a pack's. */
export async function listOwnFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => ours.test(name));
}
