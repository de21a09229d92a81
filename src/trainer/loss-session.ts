/**
 * Loss of given sequences under given parameters, without training. `run` blocks the thread while it computes.
 *
 * S = sequences, B = batch, T = tokens
 */

import { computeModelLayout, type ModelConfig, type ModelLayout } from '../protocol/model.ts';
import { createSession, type SessionInit } from './create-session.ts';
import type { BatchShape } from './graph/decoder.ts';
import { encodeLossGraph } from './graph/training-graph.ts';
import { type InferenceSession, Tensor } from './onnx-runtime.ts';
import { tensorViews } from './training-session.ts';

/** A compiled loss graph. */
export class LossSession {
  readonly #session: InferenceSession;
  readonly #layout: ModelLayout;
  readonly #batch: BatchShape;

  /** Compiles the graph. */
  static async create(model: ModelConfig, batch: BatchShape, init: SessionInit): Promise<LossSession> {
    const session = await createSession(encodeLossGraph(model, batch), init);
    return new LossSession(session, computeModelLayout(model), batch);
  }

  private constructor(session: InferenceSession, layout: ModelLayout, batch: BatchShape) {
    this.#session = session;
    this.#layout = layout;
    this.#batch = batch;
  }

  /**
   * Mean loss of each of at most B sequences, in nats a token.
   * @param parameters flat, in layout order
   * @param tokens [S, T + 1] with 1 ≤ S ≤ B; missing rows are filled with token 0 and dropped again
   * @returns S losses
   */
  async run(parameters: Float32Array, tokens: Int32Array): Promise<Float32Array> {
    const { batchSize, sequenceLength } = this.#batch;
    const width = sequenceLength + 1;
    const padded = new Int32Array(batchSize * width);
    padded.set(tokens);
    const results = await this.#session.run({
      ...tensorViews(this.#layout, parameters),
      tokens: new Tensor('int32', padded, [batchSize, width]),
    });
    return (results.losses!.data as Float32Array).slice(0, tokens.length / width);
  }

  /** Frees the memory; the session must not be used afterwards. */
  async release(): Promise<void> {
    await this.#session.release();
  }
}
