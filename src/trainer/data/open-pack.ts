/** Opens a finished pack to train and validate on. spec/data.md#packs */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TapestryError } from '../../protocol/errors.ts';
import type { Side } from './block-splitter.ts';
import {
  documentEntryBytes,
  documentsFile,
  listPackFiles,
  type PackRecord,
  packFile,
  readPackRecord,
} from './pack-record.ts';
import { ShardStream } from './shard-stream.ts';
import type { TokenStream } from './token-stream.ts';

/** Where a document of a pack lies. */
export interface PackedDocument {
  /** index of its file in the record's sources */
  readonly source: number;
  /** its number within the file, from 0 */
  readonly document: number;
  /** tokens of each side before it; what is in between the next document's is its own */
  readonly start: Readonly<Record<Side, number>>;
}

/** A finished pack. */
export interface OpenedPack {
  readonly record: PackRecord;
  readonly training: TokenStream;
  /** may be empty */
  readonly validation: TokenStream;
  /** @param count at least 1, first + count at most the number of documents */
  readDocuments(first: number, count: number): Promise<PackedDocument[]>;
  /** Gives all files back; twice is fine. */
  close(): Promise<void>;
}

/**
 * Opens a pack.
 * @throws {TapestryError} `pack-missing`, `pack-damaged`
 */
export async function openPack(folder: string): Promise<OpenedPack> {
  const record = await readPackRecord(folder, packFile);
  if (record === null) {
    throw new TapestryError(
      'pack-missing',
      `There is no packed text in ${folder}.`,
      'Pack it with `tapestry-peer data pack`, or start the peer again with --data.',
      { folder },
    );
  }
  const problem =
    record === 'damaged' ? `${packFile} is not the description of a pack` : await findDamage(folder, record);
  if (record === 'damaged' || problem !== null) {
    throw new TapestryError('pack-damaged', `The pack in ${folder} is damaged: ${problem}.`, 'Pack the text again.', {
      folder,
      problem,
    });
  }
  const training = new ShardStream(folder, 'training', record, record.length.training);
  const validation = new ShardStream(folder, 'validation', record, record.length.validation);
  const documents = await open(join(folder, documentsFile));
  return {
    record,
    training,
    validation,
    readDocuments: (first, count) => readDocuments(documents, first, count),
    async close() {
      training.close();
      validation.close();
      await documents.close();
    },
  };
}

/** What is wrong with the files of a finished pack, or null. */
export async function findDamage(folder: string, record: PackRecord): Promise<string | null> {
  for (const { name, size } of listPackFiles(record)) {
    const found = await stat(join(folder, name)).catch(() => null);
    if (found?.size !== size) {
      return `${name} ${found === null ? 'is missing' : `has ${found.size} bytes of ${size}`}`;
    }
  }
  return record.progress === null ? null : `${packFile} is that of an unfinished one`;
}

async function readDocuments(file: FileHandle, first: number, count: number): Promise<PackedDocument[]> {
  const bytes = Buffer.alloc(count * documentEntryBytes);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, first * documentEntryBytes);
  if (bytesRead < bytes.length) {
    throw new RangeError(`Documents ${first} to ${first + count} were asked for.`);
  }
  return Array.from({ length: count }, (_, index) => {
    const at = index * documentEntryBytes;
    return {
      source: bytes.readUInt32LE(at),
      document: bytes.readUInt32LE(at + 4),
      start: {
        training: Number(bytes.readBigUInt64LE(at + 8)),
        validation: Number(bytes.readBigUInt64LE(at + 16)),
      },
    };
  });
}
