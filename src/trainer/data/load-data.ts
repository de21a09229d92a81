/**
 * From a data source to the streams that training and evaluation read. spec/trainer.md#data
 */
import { basename } from 'node:path';
import { TapestryError } from '../../protocol/errors.ts';
import { readDocuments } from './read-documents.ts';
import { joinDocuments, splitDocuments } from './split-documents.ts';
import { readStarterTexts, selectStarterEntries, starterKinds } from './starter-corpus.ts';

/** Where text comes from: the starter corpus (one kind, or all with null), or a person's own files and folders. */
export type DataSource =
  | { readonly kind: 'starter'; readonly kindIndex: number | null }
  | { readonly kind: 'path'; readonly paths: readonly string[]; readonly textField?: string };

/** A peer's own text, in two parts that share nothing. */
export interface TrainingData {
  readonly training: Uint8Array;
  /** may be empty */
  readonly validation: Uint8Array;
  /** files that were passed over, one line each */
  readonly warnings: readonly string[];
}

/** Held-out text of one kind. */
export interface HeldOutKind {
  readonly kind: string;
  readonly bytes: Uint8Array;
}

/** What is evaluated on, and the files that were passed over. */
export interface HeldOutData {
  readonly kinds: readonly HeldOutKind[];
  readonly warnings: readonly string[];
}

/**
 * Loads the text that a peer trains on. The held-out files of the starter corpus are never part of it.
 * @param minBytes fewest bytes that make one window
 * @throws {TapestryError} `data-too-small`, and those of `readDocuments`
 */
export async function loadTrainingData(source: DataSource, minBytes: number): Promise<TrainingData> {
  const data = source.kind === 'path' ? await loadPaths(source) : await loadStarter(source.kindIndex);
  if (data.training.length < minBytes) {
    const where = source.kind === 'path' ? source.paths.join(', ') : 'the starter corpus';
    throw new TapestryError(
      'data-too-small',
      `There are ${data.training.length} bytes to train on in ${where}; one sequence takes ${minBytes}.`,
      source.kind === 'path' ? 'Give more text.' : 'Run `npm ci` again: files of the installed packages are missing.',
      { bytes: data.training.length, minBytes },
    );
  }
  return data;
}

/**
 * Loads the shared held-out text: the held-out files of the starter corpus by kind, or every given path as a kind of
 * its own.
 */
export async function loadHeldOut(source: DataSource): Promise<HeldOutData> {
  if (source.kind === 'path') {
    const kinds = source.paths.map(async (path) => {
      return { kind: basename(path), bytes: joinDocuments(await readDocuments([path], source.textField)) };
    });
    return { kinds: await Promise.all(kinds), warnings: [] };
  }
  const kinds: HeldOutKind[] = [];
  const warnings: string[] = [];
  for (const [index, kind] of starterKinds.entries()) {
    if (source.kindIndex === null || source.kindIndex === index) {
      const texts = await readStarterTexts(selectStarterEntries(index, 'held-out'));
      kinds.push({ kind, bytes: joinDocuments(texts.documents) });
      warnings.push(...texts.warnings);
    }
  }
  return { kinds, warnings };
}

/**
 * Up to `count` windows of T + 1 bytes, evenly spread and without overlap: the same for everyone who has the same text.
 * @returns [S, T + 1] with S ≤ count; empty when the text is shorter than one window
 */
export function selectWindows(stream: Uint8Array, count: number, sequenceLength: number): Int32Array {
  const width = sequenceLength + 1;
  const windows = Math.min(count, Math.floor(stream.length / width));
  const tokens = new Int32Array(windows * width);
  for (let row = 0; row < windows; row++) {
    const start = Math.floor((row * stream.length) / windows);
    tokens.set(stream.subarray(start, start + width), row * width);
  }
  return tokens;
}

async function loadPaths(source: DataSource & { kind: 'path' }): Promise<TrainingData> {
  return { ...splitDocuments(await readDocuments(source.paths, source.textField)), warnings: [] };
}

async function loadStarter(kindIndex: number | null): Promise<TrainingData> {
  const training = await readStarterTexts(selectStarterEntries(kindIndex, 'training'));
  const heldOut = await readStarterTexts(selectStarterEntries(kindIndex, 'held-out'));
  return {
    training: joinDocuments(training.documents),
    validation: joinDocuments(heldOut.documents),
    warnings: [...training.warnings, ...heldOut.warnings],
  };
}
