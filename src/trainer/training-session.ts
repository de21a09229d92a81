/**
 * Runs inner steps on flat vectors. `run` blocks the thread until its steps are done, so it belongs in a process of
 * its own (`trainer-process.ts`).
 *
 * H = steps of a run, B = batch, T = tokens, N = parameters
 */

import { computeModelLayout, type ModelConfig, type ModelLayout } from '../protocol/model.ts';
import { createSession, type SessionInit } from './create-session.ts';
import { computeDistinctInputs } from './distinct-ids.ts';
import type { InnerOptimizerConfig } from './graph/adamw.ts';
import type { BatchShape } from './graph/decoder.ts';
import { encodeTrainingGraph, prefixes } from './graph/training-graph.ts';
import { type InferenceSession, Tensor } from './onnx-runtime.ts';
import { computeTrainingPlan, type TrainingPlan } from './training-plan.ts';

/** Everything that a step changes; three vectors of length N in layout order. Moments are scaled (spec/trainer.md). */
export interface TrainingState {
  readonly parameters: Float32Array;
  readonly firstMoments: Float32Array;
  readonly secondMoments: Float32Array;
}

/** What each of the H steps saw, before its own update. */
export interface StepReport {
  /** mean cross-entropy of the batch, nats */
  readonly losses: Float32Array;
  /** global norm of the gradient before clipping */
  readonly gradientNorms: Float32Array;
}

/** Model, batch, optimiser, threads and device of a session. */
export interface TrainingSessionInit extends BatchShape, Omit<SessionInit, 'optimization'> {
  readonly model: ModelConfig;
  readonly inner: InnerOptimizerConfig;
  /** single choices of the plan, for benchmarks and where memory lacks; `computeTrainingPlan` makes the others */
  readonly plan?: Partial<TrainingPlan>;
}

/** A compiled training graph; serves any number of runs and any number of steps a run. */
export class TrainingSession {
  readonly #session: InferenceSession;
  readonly #layout: ModelLayout;
  readonly #init: TrainingSessionInit;
  readonly #plan: TrainingPlan;

  /** Compiles the graph: about a tenth of a second for small models. */
  static async create(init: TrainingSessionInit): Promise<TrainingSession> {
    const plan = { ...computeTrainingPlan(init.model, init, init.device), ...init.plan };
    const graph = encodeTrainingGraph(init.model, init, init.inner, plan);
    return new TrainingSession(await createSession(graph, init), init, plan);
  }

  private constructor(session: InferenceSession, init: TrainingSessionInit, plan: TrainingPlan) {
    this.#session = session;
    this.#layout = computeModelLayout(init.model);
    this.#init = init;
    this.#plan = plan;
  }

  /**
   * H steps, written back into `state`.
   * @param tokens [H, B, T + 1]
   * @param scalars [H, 3]: alpha, epsilon and decay of each step (`step-scalars.ts`)
   */
  async run(state: TrainingState, tokens: Int32Array, scalars: Float32Array): Promise<StepReport> {
    const steps = scalars.length / 3;
    const stepsPerRun = this.#plan.loop ? steps : 1;
    const losses = new Float32Array(steps);
    const gradientNorms = new Float32Array(steps);
    const tensors = this.#stateTensors(state);
    for (let done = 0; done < steps; done += stepsPerRun) {
      const part = <A extends Float32Array | Int32Array>(values: A): A =>
        values.subarray((values.length / steps) * done, (values.length / steps) * (done + stepsPerRun)) as A;
      await this.#runGraph(tensors, part(tokens), part(scalars), part(losses), part(gradientNorms));
    }
    return { losses, gradientNorms };
  }

  #stateTensors({ parameters, firstMoments, secondMoments }: TrainingState): Record<string, Tensor> {
    return {
      ...tensorViews(this.#layout, parameters),
      ...tensorViews(this.#layout, firstMoments, prefixes.firstMoment),
      ...tensorViews(this.#layout, secondMoments, prefixes.secondMoment),
    };
  }

  async #runGraph(
    state: Readonly<Record<string, Tensor>>,
    tokens: Int32Array,
    scalars: Float32Array,
    losses: Float32Array,
    gradientNorms: Float32Array,
  ): Promise<void> {
    const steps = losses.length;
    const feeds = {
      ...state,
      ...this.#batchTensors(tokens, steps),
      scalars: new Tensor('float32', scalars, [steps, 3]),
      ...(this.#plan.loop ? { steps: new Tensor('int64', BigInt64Array.of(BigInt(steps)), []) } : {}),
    };
    // The results go where the inputs are: a Loop reads its inputs before it begins, and a single step writes a tensor
    // only after the norm of all gradients is known, when nothing but its own update reads it any more.
    const fetches = {
      ...Object.fromEntries(Object.entries(state).map(([name, tensor]) => [prefixes.output + name, tensor])),
      losses: new Tensor('float32', losses, [steps]),
      norms: new Tensor('float32', gradientNorms, [steps]),
    };
    await this.#session.run(feeds, fetches);
  }

  #batchTensors(tokens: Int32Array, steps: number): Record<string, Tensor> {
    const { batchSize, sequenceLength, model } = this.#init;
    const { microBatches, embeddingGradient } = this.#plan;
    const sequences = batchSize / microBatches;
    const width = sequenceLength + 1;
    const batch = { tokens: new Tensor('int32', tokens, [steps, microBatches, sequences, width]) };
    if (embeddingGradient !== 'distinct') {
      return batch;
    }
    const { ids, ranks } = computeDistinctInputs(tokens, { batchSize: sequences, sequenceLength }, model.vocabSize);
    const shape = [steps, microBatches, sequences * sequenceLength];
    return { ...batch, ids: new Tensor('int32', ids, shape), ranks: new Tensor('int32', ranks, shape) };
  }

  /** Frees the memory; the session must not be used afterwards. */
  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** One tensor for every slot of the layout, each a view of `flat` (nothing is copied), under prefix + name. */
export function tensorViews(layout: ModelLayout, flat: Float32Array, prefix = ''): Record<string, Tensor> {
  return Object.fromEntries(
    layout.tensors.map(({ name, shape, offset, length }) => [
      prefix + name,
      new Tensor('float32', flat.subarray(offset, offset + length), shape),
    ]),
  );
}
