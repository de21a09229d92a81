/**
 * The work of one peer's trainer, inside its own process: a round of inner steps, and evaluations. Holds the compiled
 * sessions and the text; everything else comes in and goes out through files. spec/trainer.md
 *
 * N = parameters, H = inner steps, B = batch, T = tokens
 */
import { join } from 'node:path';
import { computeBodyLength, decodeBody, encodeBody } from '../protocol/compressor/index.ts';
import { accumulateErrorFeedback, resolveErrorFeedback } from '../protocol/error-feedback.ts';
import { TapestryError } from '../protocol/errors.ts';
import { computeModelLayout } from '../protocol/model.ts';
import { computeBatch } from './data/compute-batch.ts';
import { type HeldOutKind, loadHeldOut, loadTrainingData, selectWindows, type TrainingData } from './data/load-data.ts';
import { LossSession } from './loss-session.ts';
import { computeStepScalars } from './step-scalars.ts';
import type { EvaluateRequest, Evaluation, TrainerInit, TrainRequest, TrainResult } from './trainer-types.ts';
import { TrainingSession, type TrainingState } from './training-session.ts';
import { readExactly, readMoments, readVector, writeMoments, writeVector, writeWhole } from './vector-file.ts';
import { computeWorkLeaf, computeWorkRoot, leafSteps } from './work-root.ts';

const defaultSequencesPerKind = 16;

/** How a running operation is watched and stopped. */
export interface RoundHooks {
  /** called between runs; throws to stop the operation, and gives way to waiting messages */
  readonly pause: () => Promise<void>;
  readonly onProgress: (step: number, of: number, loss: number) => void;
}

/** Trains and evaluates; one operation at a time. */
export class RoundTrainer {
  readonly warnings: readonly string[];
  readonly #init: TrainerInit;
  readonly #length: number;
  readonly #data: TrainingData;
  readonly #heldOut: readonly HeldOutKind[];
  readonly #training: TrainingSession;
  readonly #loss: LossSession;

  /** Loads the text and compiles both graphs. */
  static async create(init: TrainerInit): Promise<RoundTrainer> {
    const data = await loadTrainingData(init.data, init.sequenceLength + 1);
    const heldOut = await loadHeldOut(init.heldOut);
    const training = await TrainingSession.create(init);
    const loss = await LossSession.create(init.model, init, init.threads);
    const warnings = [...new Set([...data.warnings, ...heldOut.warnings])];
    return new RoundTrainer(init, data, heldOut.kinds, training, loss, warnings);
  }

  private constructor(
    init: TrainerInit,
    data: TrainingData,
    heldOut: readonly HeldOutKind[],
    training: TrainingSession,
    loss: LossSession,
    warnings: readonly string[],
  ) {
    this.#init = init;
    this.#length = computeModelLayout(init.model).length;
    this.#data = data;
    this.#heldOut = heldOut;
    this.#training = training;
    this.#loss = loss;
    this.warnings = warnings;
  }

  /** H inner steps from the base, then the error feedback, the body and the files. */
  async train(request: TrainRequest, hooks: RoundHooks): Promise<TrainResult> {
    const started = performance.now();
    const base = await readVector(request.basePath, this.#length);
    const zero = (): Float32Array => new Float32Array(this.#length);
    const moments =
      request.momentsPath === null
        ? { first: zero(), second: zero(), adamStep: 0 }
        : await readMoments(request.momentsPath, this.#length);
    const errorFeedback = await this.#readErrorFeedback(request);
    const state = { parameters: base.slice(), firstMoments: moments.first, secondMoments: moments.second };
    const { losses, leaves, trainMs } = await this.#runSteps(request, state, moments.adamStep, hooks);

    const accumulated = accumulateErrorFeedback(
      errorFeedback,
      this.#computePseudoGradient(base, state.parameters, request.round),
      this.#init.compressor.errorFeedback,
    );
    const body = encodeBody(accumulated, this.#init.compressor);
    const path = (ending: string): string => join(request.outputDirectory, `${request.round}.${ending}`);
    const result = {
      bodyPath: path('body'),
      momentsPath: path('moments'),
      errorFeedbackPath: path('error-feedback'),
    };
    const adamStep = moments.adamStep + request.innerSteps;
    await writeMoments(result.momentsPath, { first: state.firstMoments, second: state.secondMoments, adamStep });
    await writeVector(result.errorFeedbackPath, accumulated);
    await writeWhole(result.bodyPath, [body]);
    return {
      ...result,
      workRoot: computeWorkRoot(leaves),
      losses,
      tokens: request.innerSteps * this.#init.batchSize * this.#init.sequenceLength,
      trainMs,
      totalMs: performance.now() - started,
    };
  }

  /** Loss of given parameters on held-out text: the mean over kinds, each with equal weight, in nats a byte. */
  async evaluate(request: EvaluateRequest, hooks: RoundHooks): Promise<Evaluation> {
    const parameters = await readVector(request.parametersPath, this.#length);
    const kinds = request.heldOut === 'own' ? [{ kind: 'own', bytes: this.#data.validation }] : this.#heldOut;
    const perKind: { kind: string; loss: number; bytes: number }[] = [];
    for (const { kind, bytes } of kinds) {
      const tokens = selectWindows(
        bytes,
        request.sequencesPerKind ?? defaultSequencesPerKind,
        this.#init.sequenceLength,
      );
      if (tokens.length === 0) {
        throw new TapestryError(
          'held-out-too-small',
          `The held-out text of kind ${kind} has ${bytes.length} bytes; one sequence takes ${this.#init.sequenceLength + 1}.`,
          'Give more text: every 20th block of it is kept aside.',
          { kind, bytes: bytes.length },
        );
      }
      perKind.push({ kind, ...(await this.#meanLoss(parameters, tokens, hooks)) });
    }
    return { mean: perKind.reduce((sum, { loss }) => sum + loss, 0) / perKind.length, perKind };
  }

  async #runSteps(
    request: TrainRequest,
    state: TrainingState,
    adamStep: number,
    hooks: RoundHooks,
  ): Promise<{ losses: number[]; leaves: Uint8Array[]; trainMs: number }> {
    const losses: number[] = [];
    const leaves: Uint8Array[] = [];
    let trainMs = 0;
    while (losses.length < request.innerSteps) {
      await hooks.pause();
      const done = losses.length;
      const steps = Math.min(leafSteps, request.innerSteps - done);
      const started = performance.now();
      const { tokens, scalars } = this.#prepare(request, done, steps, adamStep + done);
      const report = await this.#training.run(state, tokens, scalars);
      trainMs += performance.now() - started;
      for (const [at, loss] of report.losses.entries()) {
        requireFinite(loss + report.gradientNorms[at]!, request.round, done + at + 1);
        losses.push(loss);
      }
      leaves.push(computeWorkLeaf(losses.length, state, losses.at(-1)!, report.gradientNorms.at(-1)!));
      hooks.onProgress(losses.length, request.innerSteps, losses.at(-1)!);
    }
    return { losses, leaves, trainMs };
  }

  #prepare(
    request: TrainRequest,
    done: number,
    steps: number,
    adamStep: number,
  ): { tokens: Int32Array; scalars: Float32Array } {
    const { batchSize, sequenceLength, inner } = this.#init;
    const size = batchSize * (sequenceLength + 1);
    const tokens = new Int32Array(steps * size);
    const scalars = new Float32Array(steps * 3);
    for (let at = 0; at < steps; at++) {
      const step = request.firstStep + done + at;
      tokens.set(computeBatch(this.#data.training, request.dataSeed, step, this.#init), at * size);
      scalars.set(computeStepScalars(inner, step, adamStep + at + 1), at * 3);
    }
    return { tokens, scalars };
  }

  async #readErrorFeedback(request: TrainRequest): Promise<Float32Array | null> {
    if (request.errorFeedbackPath === null) {
      return null;
    }
    const kept = await readVector(request.errorFeedbackPath, this.#length);
    if (request.includedBodyPath === null) {
      return kept;
    }
    const { compressor } = this.#init;
    const bytes = await readExactly(request.includedBodyPath, computeBodyLength(this.#length, compressor));
    const body = decodeBody(new Uint8Array(bytes), { ...compressor, length: this.#length });
    if (body.outcome === 'reject') {
      throw new TapestryError(
        'trainer-file',
        `${request.includedBodyPath} is not a body of this network: ${body.reason}.`,
        'Restart the peer: it goes on without error feedback.',
        { path: request.includedBodyPath, reason: body.reason },
      );
    }
    return resolveErrorFeedback(kept, body.value, 'included');
  }

  /** base − local; also where a last step that went wrong is seen. */
  #computePseudoGradient(base: Float32Array, local: Float32Array, round: number): Float32Array {
    const pseudoGradient = new Float32Array(base.length);
    let sum = 0;
    for (let i = 0; i < base.length; i++) {
      pseudoGradient[i] = base[i]! - local[i]!;
      sum += pseudoGradient[i]!;
    }
    requireFinite(sum, round, null);
    return pseudoGradient;
  }

  async #meanLoss(
    parameters: Float32Array,
    tokens: Int32Array,
    hooks: RoundHooks,
  ): Promise<{ loss: number; bytes: number }> {
    const { batchSize, sequenceLength } = this.#init;
    const width = sequenceLength + 1;
    const sequences = tokens.length / width;
    let sum = 0;
    for (let first = 0; first < sequences; first += batchSize) {
      await hooks.pause();
      const losses = await this.#loss.run(parameters, tokens.subarray(first * width, (first + batchSize) * width));
      sum = losses.reduce((total, loss) => total + loss, sum);
    }
    return { loss: sum / sequences, bytes: sequences * sequenceLength };
  }
}

function requireFinite(value: number, round: number, step: number | null): void {
  if (!Number.isFinite(value)) {
    throw new TapestryError(
      'training-diverged',
      `Training of round ${round} left the numbers: ${step === null ? 'the weights are' : `at inner step ${step} the loss or its gradient is`} not finite.`,
      "Lower the network's inner learning rate, or look for damaged text or memory; the base is untouched.",
      { round, step },
    );
  }
}
