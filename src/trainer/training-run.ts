/**
 * Training alone, without a network: from a start or from the newest checkpoint of a folder to a number of steps, with
 * evaluations and checkpoints on the way. A run that is interrupted anywhere goes on to the same bits.
 * spec/checkpoints.md#training-runs
 *
 * N = parameters
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TapestryError } from '../protocol/errors.ts';
import { fromHex } from '../protocol/hex.ts';
import { computeModelLayout } from '../protocol/model.ts';
import {
  findNewest,
  pruneCheckpoints,
  readTrainingCheckpoint,
  writeTrainingCheckpoint,
} from './checkpoint/checkpoint-folder.ts';
import type { KeepPolicy } from './checkpoint/select-kept.ts';
import { createTrainer, type Trainer } from './trainer.ts';
import type { TrainerInit } from './trainer-types.ts';
import { readMoments, readVector, writeMoments, writeVector } from './vector-file.ts';

/** What a run is told. */
export interface TrainingRunInit {
  /** holds `checkpoints/` and `losses.jsonl`; made when missing */
  readonly folder: string;
  readonly trainer: TrainerInit;
  /** the parameters of step 0; asked for only where there is no checkpoint */
  readonly readStart: () => Promise<Float32Array>;
  /** of the data order, hex of 32 bytes */
  readonly seed: string;
  /** inner steps in all */
  readonly steps: number;
  /** steps from one evaluation and checkpoint to the next */
  readonly every: number;
  readonly keep: Omit<KeepPolicy, 'best'>;
  /** whatever makes two runs different, as plain JSON; a folder goes on with the same alone */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

/** What was measured at a step: a line of `losses.jsonl`. Losses are nats a byte. */
export interface RunMeasure {
  readonly step: number;
  /** mean over the steps since the measure before; null at step 0 */
  readonly trainingLoss: number | null;
  /** on the part of the text that is never trained on; null if there is too little of it */
  readonly validationLoss: number | null;
  /** of the steps since the measure before; null at step 0 */
  readonly tokensPerSecond: number | null;
}

/** What happens in a run. */
export type RunEvent =
  | { readonly event: 'run.started'; readonly step: number; readonly steps: number; readonly parameters: number }
  | { readonly event: 'training.progressed'; readonly step: number; readonly of: number; readonly loss: number }
  | ({ readonly event: 'run.measured'; readonly checkpoint: string | null } & RunMeasure)
  | { readonly event: 'warning'; readonly message: string };

/** What a run came to. */
export interface TrainingRunResult {
  readonly step: number;
  readonly measures: readonly RunMeasure[];
  /** folder of the newest checkpoint */
  readonly checkpoint: string;
}

/** Steps that a run loses at most when it is asked to stop. */
const stepsPerCall = 20;
const validationSequences = 64;

/** Files that the trainer reads and writes between calls. */
interface RunState {
  readonly step: number;
  readonly parametersPath: string;
  readonly momentsPath: string | null;
}

/**
 * Trains. Aborted, it writes a checkpoint of the last finished steps and throws the signal's reason.
 * @throws {TapestryError} `run-differs`, and those of the trainer and of checkpoints
 */
export async function runTraining(init: TrainingRunInit): Promise<TrainingRunResult> {
  const working = join(init.folder, 'working');
  await mkdir(working, { recursive: true });
  const trainer = createTrainer(init.trainer);
  try {
    return await new TrainingRun(init, trainer, working).run();
  } finally {
    await trainer.stop();
    await rm(working, { recursive: true, force: true });
  }
}

class TrainingRun {
  readonly #init: TrainingRunInit;
  readonly #trainer: Trainer;
  readonly #working: string;
  #measures: RunMeasure[] = [];
  #checkpoint = '';
  #checkpointStep = 0;

  constructor(init: TrainingRunInit, trainer: Trainer, working: string) {
    this.#init = init;
    this.#trainer = trainer;
    this.#working = working;
  }

  async run(): Promise<TrainingRunResult> {
    const { steps, every, onEvent, signal, trainer } = this.#init;
    let state = await this.#begin();
    const { length: parameters } = computeModelLayout(trainer.model);
    onEvent({ event: 'run.started', step: state.step, steps, parameters });
    for (const message of (await this.#trainer.start()).warnings) {
      onEvent({ event: 'warning', message });
    }
    if (state.step === 0) {
      await this.#measure(state, null);
    }
    let since = { losses: 0, steps: 0, tokens: 0, trainMs: 0 };
    while (state.step < steps) {
      const next = Math.min(state.step + stepsPerCall, (Math.floor(state.step / every) + 1) * every, steps);
      const { state: reached, report } = await this.#advance(state, next).catch(async (error: unknown) => {
        if (signal.aborted && state.step > this.#checkpointStep) {
          await this.#writeCheckpoint(state, { training: null, validation: null });
        }
        throw error;
      });
      state = reached;
      since = {
        losses: report.losses.reduce((sum, loss) => sum + loss, since.losses),
        steps: since.steps + report.losses.length,
        tokens: since.tokens + report.tokens,
        trainMs: since.trainMs + report.trainMs,
      };
      if (state.step % every === 0 || state.step === steps) {
        await this.#measure(state, since);
        since = { losses: 0, steps: 0, tokens: 0, trainMs: 0 };
      }
    }
    return { step: state.step, measures: this.#measures, checkpoint: this.#checkpoint };
  }

  /** The newest checkpoint, or the start, as files for the trainer. */
  async #begin(): Promise<RunState> {
    const { folder, seed, settings, readStart } = this.#init;
    const parametersPath = join(this.#working, 'begin.parameters');
    const newest = await findNewest(folder);
    if (newest === null) {
      await writeVector(parametersPath, await readStart());
      return { step: 0, parametersPath, momentsPath: null };
    }
    const checkpoint = await readTrainingCheckpoint(newest.folder);
    requireSame(folder, { ...settings, seed }, { ...checkpoint.settings, seed: checkpoint.seed });
    const momentsPath = join(this.#working, 'begin.moments');
    await writeVector(parametersPath, checkpoint.parameters);
    await writeMoments(momentsPath, checkpoint.moments);
    this.#checkpoint = newest.folder;
    this.#checkpointStep = checkpoint.step;
    // What was measured after the checkpoint is measured again.
    this.#measures = (await readMeasures(this.#lossesPath)).filter(({ step }) => step <= checkpoint.step);
    return { step: checkpoint.step, parametersPath, momentsPath };
  }

  async #advance(
    state: RunState,
    next: number,
  ): Promise<{ state: RunState; report: { losses: readonly number[]; tokens: number; trainMs: number } }> {
    const { seed, steps, signal, onEvent } = this.#init;
    signal.throwIfAborted();
    const onProgress = (step: number, _of: number, loss: number): void =>
      onEvent({ event: 'training.progressed', step: state.step + step, of: steps, loss });
    const report = await this.#trainer.advance(
      {
        steps: next - state.step,
        firstStep: state.step,
        parametersPath: state.parametersPath,
        momentsPath: state.momentsPath,
        outputDirectory: this.#working,
        name: `step-${next}`,
        dataSeed: fromHex(seed),
      },
      { signal, onProgress },
    );
    await rm(state.parametersPath);
    await rm(state.momentsPath ?? '', { force: true });
    const { parametersPath, momentsPath } = report;
    return { state: { step: next, parametersPath, momentsPath }, report };
  }

  /** Evaluates, and writes what came of it together with the checkpoint, except for the start. */
  async #measure(
    state: RunState,
    since: { losses: number; steps: number; tokens: number; trainMs: number } | null,
  ): Promise<void> {
    const { keep, folder, onEvent } = this.#init;
    const validationLoss = await this.#validate(state);
    const trainingLoss = since === null ? null : since.losses / since.steps;
    if (since !== null) {
      await this.#writeCheckpoint(state, { training: trainingLoss, validation: validationLoss });
      await pruneCheckpoints(folder, keep);
    }
    const tokensPerSecond = since === null ? null : (since.tokens * 1000) / since.trainMs;
    const measure = { step: state.step, trainingLoss, validationLoss, tokensPerSecond };
    this.#measures.push(measure);
    await writeFile(this.#lossesPath, this.#measures.map((line) => `${JSON.stringify(line)}\n`).join(''));
    onEvent({ event: 'run.measured', ...measure, checkpoint: since === null ? null : this.#checkpoint });
  }

  async #validate(state: RunState): Promise<number | null> {
    const { signal } = this.#init;
    const options = { heldOut: 'own', sequencesPerKind: validationSequences, signal } as const;
    return this.#trainer.evaluate(state.parametersPath, options).then(
      ({ mean }) => mean,
      (error: unknown) => {
        if (error instanceof TapestryError && error.code === 'held-out-too-small') {
          return null;
        }
        throw error;
      },
    );
  }

  async #writeCheckpoint(
    state: RunState,
    losses: { readonly training: number | null; readonly validation: number | null },
  ): Promise<void> {
    const { trainer, folder, seed, settings } = this.#init;
    const { length } = computeModelLayout(trainer.model);
    this.#checkpoint = await writeTrainingCheckpoint(folder, {
      model: trainer.model,
      tokenizer: trainer.tokenizer,
      parameters: await readVector(state.parametersPath, length),
      moments: await readMoments(state.momentsPath!, length),
      step: state.step,
      seed,
      losses,
      settings,
    });
    this.#checkpointStep = state.step;
  }

  get #lossesPath(): string {
    return join(this.#init.folder, 'losses.jsonl');
  }
}

/** A folder goes on with what it was begun with, or not at all. */
function requireSame(
  folder: string,
  wanted: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
): void {
  const differing = Object.keys({ ...wanted, ...found }).filter(
    (key) => JSON.stringify(wanted[key]) !== JSON.stringify(found[key]),
  );
  const [key] = differing;
  if (key !== undefined) {
    throw new TapestryError(
      'run-differs',
      `${folder}: expected a run with ${key} ${JSON.stringify(wanted[key])}, found one with ${JSON.stringify(found[key])}.`,
      'Give the same options as before to go on, or train elsewhere (--out).',
      { folder, differing },
    );
  }
}

async function readMeasures(path: string): Promise<RunMeasure[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') {
      return '';
    }
    throw error;
  });
  // A line that a power cut left half is of a step that is measured again.
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as RunMeasure];
    } catch {
      return [];
    }
  });
}
