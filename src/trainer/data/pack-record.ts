/**
 * The description of a pack: what it was made from, how, and how far. `pack.json` describes a finished one,
 * `packing.json` the last durable point of one that is being made. spec/data.md#packs
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { writeWhole } from '../vector-file.ts';
import type { Side, SplitRule } from './block-splitter.ts';
import type { SplitProgress } from './split-sources.ts';
import { addCounts, type TextCounts } from './text-counts.ts';

const count = z.int().min(0);
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const textCounts = z.strictObject({ bytes: count, characters: count, tokens: count, unknowns: count });
const perSide = z.strictObject({ training: count, validation: count });

const tokenizerSchema = z.strictObject({
  kind: z.enum(['bytes', 'huggingface']),
  hash: hex32.nullable(),
  vocabSize: z
    .int()
    .min(1)
    .max(2 ** 20),
  separator: count,
});

const sourceSchema = z.strictObject({
  path: z.string().min(1),
  format: z.enum(['text', 'jsonl', 'parquet']),
  size: z.int().min(1),
  mtimeMs: z.number().min(0),
  sha256: hex32,
  documents: count,
  training: textCounts,
  validation: textCounts,
});

const progressSchema = z.strictObject({
  source: count,
  place: z.strictObject({ document: count, cursor: count, line: count }),
  begun: z.boolean(),
  emitted: count,
  seen: z.strictObject({ training: z.boolean(), validation: z.boolean(), lowest: z.union([hex32, z.literal('')]) }),
});

const recordSchema = z.strictObject({
  format: z.literal('tapestry-pack'),
  version: z.literal(1),
  tokenizer: tokenizerSchema,
  textField: z.string(),
  rule: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('share') }),
    z.strictObject({ kind: z.literal('lowest'), hash: hex32 }),
    z.strictObject({ kind: z.literal('none') }),
  ]),
  tokenBytes: z.union([z.literal(1), z.literal(2), z.literal(4)]),
  shardTokens: z.int().min(1),
  progress: progressSchema.nullable(),
  documents: count,
  /** tokens in the shards: those of the text and a separator for each run */
  length: perSide,
  runs: perSide,
  sources: z.array(sourceSchema).min(1),
});

/** By which tokenizer a pack was made. */
export interface PackTokenizer {
  readonly kind: 'bytes' | 'huggingface';
  /** Merkle root of `tokenizer.json`, hex; null for bytes */
  readonly hash: string | null;
  readonly vocabSize: number;
  readonly separator: number;
}

/** A file of text as it was when it was packed, and what was found in it. */
export interface PackSource {
  readonly path: string;
  readonly format: 'text' | 'jsonl' | 'parquet';
  readonly size: number;
  readonly mtimeMs: number;
  /** of the file's bytes, hex */
  readonly sha256: string;
  readonly documents: number;
  readonly training: TextCounts;
  readonly validation: TextCounts;
}

/** Content of `pack.json` and `packing.json`. */
export interface PackRecord {
  readonly format: 'tapestry-pack';
  readonly version: 1;
  readonly tokenizer: PackTokenizer;
  readonly textField: string;
  readonly rule: SplitRule;
  /** bytes of a token in the shards */
  readonly tokenBytes: 1 | 2 | 4;
  /** tokens of a full shard */
  readonly shardTokens: number;
  /** where packing goes on; null at the beginning, and in a finished pack */
  readonly progress: SplitProgress | null;
  readonly documents: number;
  /** tokens in the shards of each side: those of its text, and a separator for each run */
  readonly length: Readonly<Record<Side, number>>;
  readonly runs: Readonly<Record<Side, number>>;
  readonly sources: readonly PackSource[];
}

/** File of a finished pack. */
export const packFile = 'pack.json';

/** File of a pack that is being made. */
export const packingFile = 'packing.json';

/** Reads a record: null when there is none, `damaged` when it is not one. */
export async function readPackRecord(folder: string, name: string): Promise<PackRecord | 'damaged' | null> {
  const text = await readFile(join(folder, name), 'utf8').catch(() => null);
  if (text === null) {
    return null;
  }
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return 'damaged';
  }
}

/** Writes a record, whole or not at all. */
export async function writePackRecord(folder: string, name: string, record: PackRecord): Promise<void> {
  // Checked and in one order of keys: a pack is the same bytes whether it was interrupted or not.
  const json = JSON.stringify(recordSchema.parse(record), null, 1);
  await writeWhole(join(folder, name), [Buffer.from(`${json}\n`)]);
}

/** What a record keeps of a tokenizer: enough to tell it from others. */
export function describeTokenizer({ kind, hash, vocabSize, separator }: Tokenizer): PackTokenizer {
  return { kind, hash, vocabSize, separator };
}

/** Bytes of a token that hold every id of a vocabulary. */
export function computeTokenBytes(vocabSize: number): 1 | 2 | 4 {
  return vocabSize <= 2 ** 8 ? 1 : vocabSize <= 2 ** 16 ? 2 : 4;
}

/** Counts of one side over all sources. */
export function sumSide(record: PackRecord, side: Side): TextCounts {
  return addCounts(...record.sources.map((source) => source[side]));
}

/** Name of a shard. */
export function nameShard(side: Side, index: number): string {
  return `${side}-${String(index).padStart(5, '0')}.tokens`;
}

/** Every file that belongs to the shards and the document index of a record, and its exact size in bytes. */
export function listPackFiles(record: PackRecord): readonly { readonly name: string; readonly size: number }[] {
  const { tokenBytes, shardTokens, length, documents } = record;
  const shards = (['training', 'validation'] as const).flatMap((part) =>
    Array.from({ length: Math.ceil(length[part] / shardTokens) }, (_, index) => ({
      name: nameShard(part, index),
      size: Math.min(shardTokens, length[part] - index * shardTokens) * tokenBytes,
    })),
  );
  return [...shards, { name: documentsFile, size: documents * documentEntryBytes }];
}

/** Name of the document index. */
export const documentsFile = 'documents.index';

/** Bytes of one entry: u32 source, u32 document, u64 training tokens before it, u64 validation tokens before it. */
export const documentEntryBytes = 24;
