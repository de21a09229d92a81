/**
 * The checkpoints of a training run: `<run>/checkpoints/step-00000200/`, each a model folder with the moments and the
 * counters beside it, so that training goes on from it as if it had never stopped. spec/checkpoints.md#training-runs
 *
 * N = parameters
 */
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TapestryError } from '../../protocol/errors.ts';
import { computeModelLayout, type ModelConfig, type TensorSlot } from '../../protocol/model.ts';
import type { Moments } from '../vector-file.ts';
import { writeFolderWhole } from './folder-writer.ts';
import { toJson } from './huggingface-config.ts';
import { type Checkpoint, readCheckpoint } from './read-checkpoint.ts';
import { type KeepPolicy, selectKept } from './select-kept.ts';
import { locateTensors, readSlots } from './tensor-files.ts';
import { writeModelFiles } from './write-checkpoint.ts';
import { writeSafetensors } from './write-safetensors.ts';

const optimizerFile = 'optimizer.safetensors';
const stateFile = 'training-state.json';
const maxStateBytes = 1 << 20;

/** Prefixes of tensor names in `optimizer.safetensors`; the moments are scaled as the graph keeps them. */
const momentPrefixes = ['first_moment.', 'second_moment.'] as const;

/** The counters of a run, and what it has measured so far. */
export interface TrainingProgress {
  /** inner steps done since the start of the run */
  readonly step: number;
  /** of the data order, hex */
  readonly seed: string;
  /** nats a token at this step, or null if it was not measured */
  readonly losses: { readonly training: number | null; readonly validation: number | null };
  /** what the run was started with, as plain JSON; compared by whoever goes on */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Everything that training goes on from. */
export interface TrainingCheckpoint extends Checkpoint, TrainingProgress {
  readonly moments: Moments;
}

/** One checkpoint on the disk. */
export interface CheckpointPlace {
  readonly step: number;
  readonly folder: string;
}

/**
 * Writes the checkpoint of a step, whole or not at all.
 * @param run the run's folder
 * @returns the folder of the checkpoint
 * @throws {TapestryError} as `writeCheckpoint`
 */
export async function writeTrainingCheckpoint(run: string, state: TrainingCheckpoint): Promise<string> {
  const { step, seed, losses, settings, moments, model } = state;
  const folder = join(run, 'checkpoints', `step-${String(step).padStart(8, '0')}`);
  await writeFolderWhole(folder, async (temporary) => {
    await writeModelFiles(temporary, state, { step: String(step) });
    const vectors = [moments.first, moments.second];
    const tensors = vectors.flatMap((vector, at) =>
      computeModelLayout(model).tensors.map(({ name, shape, offset, length }) => {
        return { name: momentPrefixes[at] + name, shape, values: vector.subarray(offset, offset + length) };
      }),
    );
    await writeSafetensors(join(temporary, optimizerFile), tensors, 'F32', { step: String(step) });
    const { adamStep } = moments;
    await writeFile(join(temporary, stateFile), toJson({ version: 1, step, adamStep, seed, losses, settings }));
  });
  return folder;
}

/**
 * Reads a checkpoint.
 * @param folder of the checkpoint itself, as `listCheckpoints` gives it
 * @throws {TapestryError} `training-state-invalid`, and as `readCheckpoint`
 */
export async function readTrainingCheckpoint(folder: string): Promise<TrainingCheckpoint> {
  const { adamStep, ...progress } = await readProgress(folder);
  const checkpoint = await readCheckpoint(folder);
  const path = join(folder, optimizerFile);
  const vector = await readSlots(path, await locateTensors([path]), momentSlots(checkpoint.model));
  const { length } = checkpoint.parameters;
  const moments = { first: vector.subarray(0, length), second: vector.subarray(length), adamStep };
  return { ...checkpoint, ...progress, moments };
}

/** The finished checkpoints of a run, oldest first; what an interrupted write has left is not among them. */
export async function listCheckpoints(run: string): Promise<CheckpointPlace[]> {
  const parent = join(run, 'checkpoints');
  const names = await readdir(parent).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .filter((name) => /^step-\d{8,15}$/.test(name))
    .map((name) => ({ step: Number(name.slice('step-'.length)), folder: join(parent, name) }))
    .sort((a, b) => a.step - b.step);
}

/** The checkpoint with the most steps, or null if there is none. */
export async function findNewest(run: string): Promise<CheckpointPlace | null> {
  return (await listCheckpoints(run)).at(-1) ?? null;
}

/** The checkpoint with the lowest validation loss, the earliest of equals, or null if none was measured. */
export async function findBest(run: string): Promise<CheckpointPlace | null> {
  let best: { place: CheckpointPlace; loss: number } | null = null;
  for (const place of await listCheckpoints(run)) {
    const loss = (await readProgress(place.folder)).losses.validation;
    if (loss !== null && (best === null || loss < best.loss)) best = { place, loss };
  }
  return best?.place ?? null;
}

/**
 * Deletes what the policy does not keep, and what interrupted writes have left.
 * @returns steps of the deleted checkpoints, ascending
 */
export async function pruneCheckpoints(run: string, policy: Omit<KeepPolicy, 'best'>): Promise<number[]> {
  const places = await listCheckpoints(run);
  const best = (await findBest(run))?.step ?? null;
  const kept = new Set(
    selectKept(
      places.map(({ step }) => step),
      { ...policy, best },
    ),
  );
  const doomed = places.filter(({ step }) => !kept.has(step));
  const parent = join(run, 'checkpoints');
  // Under another name first: a checkpoint that is half deleted must not look like one.
  for (const { step, folder } of doomed) await rename(folder, join(parent, `.step-${step}.partial`));
  for (const name of await readdir(parent).catch(() => [])) {
    if (/^\.step-\d+\.partial$/.test(name)) await rm(join(parent, name), { recursive: true, force: true });
  }
  return doomed.map(({ step }) => step);
}

/** First moments of all tensors, then second moments, as one vector of 2N. */
function momentSlots(model: ModelConfig): TensorSlot[] {
  const { tensors, length } = computeModelLayout(model);
  return momentPrefixes.flatMap((prefix, at) =>
    tensors.map((slot) => ({ ...slot, name: prefix + slot.name, offset: slot.offset + at * length })),
  );
}

async function readProgress(folder: string): Promise<TrainingProgress & { readonly adamStep: number }> {
  const path = join(folder, stateFile);
  const refuse = (found: string, cause?: unknown): TapestryError =>
    new TapestryError(
      'training-state-invalid',
      `${path}: expected the counters of a training run, found ${found}`,
      'Go on from an earlier checkpoint, or start from the model in this folder without its optimiser.',
      { path, found },
      cause,
    );
  let value: unknown;
  try {
    const { size } = await stat(path);
    if (size > maxStateBytes) throw new RangeError(`${size} bytes`);
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw refuse((error as Error).message, error);
  }
  const state = (value ?? {}) as Partial<TrainingProgress & { version: number; adamStep: number }>;
  const { version, step, adamStep, seed, losses, settings } = state;
  const isCount = (count: unknown): count is number => Number.isSafeInteger(count) && (count as number) >= 0;
  const isLoss = (loss: unknown): boolean => loss === null || Number.isFinite(loss);
  if (version !== 1) throw refuse(`version ${JSON.stringify(version)} where 1 was expected`);
  if (!isCount(step) || !isCount(adamStep)) throw refuse(`step ${step}, adamStep ${adamStep}`);
  if (typeof seed !== 'string') throw refuse(`seed ${JSON.stringify(seed)}`);
  if (!losses || !isLoss(losses.training) || !isLoss(losses.validation))
    throw refuse(`losses ${JSON.stringify(losses)}`);
  if (typeof settings !== 'object' || settings === null) throw refuse(`settings ${JSON.stringify(settings)}`);
  return { step, adamStep, seed, losses, settings };
}
