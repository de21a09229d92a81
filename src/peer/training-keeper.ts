/**
 * A peer's own training from round to round: which moments and error feedback a round starts from, and what of it must
 * survive. A round's row is written in the transaction that records its commit, so it counts exactly when the commit
 * does. spec/round.md#train
 */
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { computeHash } from '../protocol/hash.ts';
import { fromHex, toHex } from '../protocol/hex.ts';
import type { Manifest } from '../protocol/manifest.ts';
import { deviceKind } from '../protocol/messages.ts';
import { decodeRecordBytes, encodeRecordBytes, type RecordFields } from '../protocol/record.ts';
import type { TrainedWork } from '../protocol/round/round-types.ts';
import type { Value } from '../protocol/value.ts';
import type { Trainer } from '../trainer/trainer.ts';
import type { BlobStore } from './storage/blob-store.ts';
import type { Store } from './storage/store.ts';

/** After this many rounds without a commit the error feedback is out of date and starts again from zero. */
const errorFeedbackRounds = 3;

/** What is kept of a round's training. File names are inside the training folder. */
export interface TrainingRow extends TrainedWork {
  readonly momentsFile: string;
  readonly errorFeedbackFile: string;
  readonly trainMs: number;
}

const fileName = { kind: 'texts', maxItems: 1, maxBytes: 255 } as const;
const rowFields: RecordFields = {
  body: { kind: 'hash' },
  workRoot: { kind: 'hash' },
  salt: { kind: 'hash' },
  tokens: { kind: 'uint' },
  device: deviceKind,
  momentsFile: fileName,
  errorFeedbackFile: fileName,
  trainMs: { kind: 'uint' },
};

/** Bytes of a row, for the store. */
export function encodeTrainingRow(row: TrainingRow): Uint8Array {
  const lists = { momentsFile: [row.momentsFile], errorFeedbackFile: [row.errorFeedbackFile] };
  return encodeRecordBytes(rowFields, { ...row, ...lists, trainMs: Math.round(row.trainMs) });
}

/** Reads a row that this peer wrote; null if it cannot be read, as if there were none. */
export function decodeTrainingRow(bytes: Uint8Array): TrainingRow | null {
  const record = decodeRecordBytes(rowFields, bytes, 65_536);
  if (record.outcome !== 'accept') {
    return null;
  }
  const { momentsFile, errorFeedbackFile, ...rest } = record.value as unknown as TrainedWork & {
    trainMs: number;
    momentsFile: [string];
    errorFeedbackFile: [string];
  };
  return { ...rest, momentsFile: momentsFile[0], errorFeedbackFile: errorFeedbackFile[0] };
}

/** What the keeper works with. */
export interface TrainingKeeperComponents {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly trainer: Trainer;
  readonly manifest: Manifest;
  /** this peer's key, hex */
  readonly self: string;
  /** folder for moments and error feedback */
  readonly folder: string;
  readonly getValue: (round: number) => Value | null;
}

/** The data order of a peer: one network and one key. spec/data.md#batches */
export function computeDataSeed(manifestSeed: string, key: string): Uint8Array {
  return computeHash('tapestry/data/v1', fromHex(manifestSeed), fromHex(key));
}

/** Trains rounds and remembers what the next one needs. */
export class TrainingKeeper {
  readonly #components: TrainingKeeperComponents;

  constructor(components: TrainingKeeperComponents) {
    this.#components = components;
  }

  /** The finished work of a round whose commit was recorded, or null. */
  getRow(round: number): TrainingRow | null {
    const bytes = this.#components.store.getTraining(round);
    return bytes === null ? null : decodeTrainingRow(bytes);
  }

  /** Trains a round from its base; the row is not stored yet. Rejects with an AbortError when aborted. */
  async train(
    round: number,
    basePath: string,
    signal: AbortSignal,
    onProgress: (step: number, of: number, loss: number) => void,
  ): Promise<TrainingRow> {
    const { trainer, blobs, manifest, self, folder } = this.#components;
    const { steps } = manifest.inner;
    const request = {
      round,
      innerSteps: steps,
      firstStep: (round - 1) * steps,
      basePath,
      ...this.#startingPoint(round),
      outputDirectory: folder,
      dataSeed: computeDataSeed(manifest.seed, self),
    };
    const result = await trainer.train(request, { signal, onProgress });
    const body = await blobs.put(await readFile(result.bodyPath));
    await rm(result.bodyPath, { force: true });
    return {
      body,
      workRoot: toHex(result.workRoot),
      salt: randomBytes(32).toString('hex'),
      tokens: result.tokens,
      device: result.device,
      momentsFile: nameOf(result.momentsPath),
      errorFeedbackFile: nameOf(result.errorFeedbackPath),
      trainMs: result.trainMs,
    };
  }

  /** Removes the files of rounds that nothing starts from any more. */
  async clean(): Promise<void> {
    const { store, folder } = this.#components;
    const last = store.lastTraining();
    const row = last === null ? null : decodeTrainingRow(last.row);
    if (row === null) {
      return;
    }
    const keep = new Set([row.momentsFile, row.errorFeedbackFile]);
    for (const name of await readdir(folder)) {
      if (!keep.has(name)) {
        await rm(join(folder, name), { force: true });
      }
    }
  }

  /** Moments go on from the last commit; the error feedback is resolved by what became of it. */
  #startingPoint(round: number): {
    momentsPath: string | null;
    errorFeedbackPath: string | null;
    includedBodyPath: string | null;
  } {
    const { store, blobs, folder, getValue, self } = this.#components;
    const last = store.lastTraining();
    const row = last === null || last.round >= round ? null : decodeTrainingRow(last.row);
    if (last === null || row === null) {
      return { momentsPath: null, errorFeedbackPath: null, includedBodyPath: null };
    }
    const momentsPath = join(folder, row.momentsFile);
    if (last.round < round - errorFeedbackRounds) {
      return { momentsPath, errorFeedbackPath: null, includedBodyPath: null };
    }
    const entry = getValue(last.round)?.contributions.find(({ key }) => key === self);
    if (entry?.outcome === 'equivocated') {
      return { momentsPath, errorFeedbackPath: null, includedBodyPath: null };
    }
    const included = entry?.outcome === 'included' && entry.weight > 0;
    return {
      momentsPath,
      errorFeedbackPath: join(folder, row.errorFeedbackFile),
      includedBodyPath: included ? blobs.pathOf(row.body) : null,
    };
  }
}

function nameOf(path: string): string {
  return path.split(/[\\/]/).at(-1)!;
}
