/**
 * Runs inner steps on flat vectors. `run` blocks the thread until its steps are done, so it belongs in a process of
 * its own (`trainer-process.ts`).
 *
 * H = steps of a run, B = batch, T = tokens, N = parameters
 */

import { computeModelLayout, type ModelConfig, type ModelLayout } from '../protocol/model.ts';
import { createSession } from './create-session.ts';
import type { InnerOptimizerConfig } from './graph/adamw.ts';
import type { BatchShape } from './graph/decoder.ts';
import { encodeTrainingGraph, prefixes } from './graph/training-graph.ts';
import { type InferenceSession, Tensor } from './onnx-runtime.ts';

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

/** Model, batch, optimiser and threads of a session. */
export interface TrainingSessionInit extends BatchShape {
  readonly model: ModelConfig;
  readonly inner: InnerOptimizerConfig;
  readonly threads: number;
}

/** A compiled training graph; serves any number of runs and any number of steps a run. */
export class TrainingSession {
  readonly #session: InferenceSession;
  readonly #layout: ModelLayout;
  readonly #batch: BatchShape;

  /** Compiles the graph: about a tenth of a second for small models. */
  static async create(init: TrainingSessionInit): Promise<TrainingSession> {
    const graph = encodeTrainingGraph(init.model, init, init.inner);
    return new TrainingSession(await createSession(graph, init.threads), computeModelLayout(init.model), init);
  }

  private constructor(session: InferenceSession, layout: ModelLayout, batch: BatchShape) {
    this.#session = session;
    this.#layout = layout;
    this.#batch = batch;
  }

  /**
   * H steps, written back into `state`.
   * @param tokens [H, B, T + 1]
   * @param scalars [H, 3]: alpha, epsilon and decay of each step (`step-scalars.ts`)
   */
  async run(state: TrainingState, tokens: Int32Array, scalars: Float32Array): Promise<StepReport> {
    const steps = scalars.length / 3;
    const tensors = {
      ...tensorViews(this.#layout, state.parameters),
      ...tensorViews(this.#layout, state.firstMoments, prefixes.firstMoment),
      ...tensorViews(this.#layout, state.secondMoments, prefixes.secondMoment),
    };
    const losses = new Float32Array(steps);
    const gradientNorms = new Float32Array(steps);
    const feeds = {
      ...tensors,
      tokens: new Tensor('int32', tokens, [steps, this.#batch.batchSize, this.#batch.sequenceLength + 1]),
      scalars: new Tensor('float32', scalars, [steps, 3]),
      steps: new Tensor('int64', BigInt64Array.of(BigInt(steps)), []),
    };
    // The results go where the inputs are: nothing reads an input after the Loop has begun, and a third of the
    // memory is saved.
    const fetches = {
      ...Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefixes.output + name, tensor])),
      losses: new Tensor('float32', losses, [steps]),
      norms: new Tensor('float32', gradientNorms, [steps]),
    };
    await this.#session.run(feeds, fetches);
    return { losses, gradientNorms };
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
