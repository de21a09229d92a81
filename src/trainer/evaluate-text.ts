/**
 * Loss of text under one model: windows of tokens in, sums of −ln p out. Where windows come from is not known here.
 * spec/generation.md#evaluating
 *
 * B = windows of a run, T = predictions of a window
 */
import { computeModelLayout, type ModelConfig } from '../protocol/model.ts';
import { createSession } from './create-session.ts';
import type { BatchShape } from './graph/decoder.ts';
import { encodeTokenLossGraph } from './graph/token-loss-graph.ts';
import { type InferenceSession, Tensor } from './onnx-runtime.ts';
import { tensorViews } from './training-session.ts';

/** Longest window: attention and logits of a longer one take more memory than they tell. */
const maxWindow = 1024;

/** Predictions and the sum of their losses in nats; an evaluator counts on in it. */
export interface LossSum {
  tokens: number;
  nats: number;
}

/** Evaluates windows in full batches. Sums are complete after `flush`. */
export class TextEvaluator {
  readonly #session: InferenceSession;
  readonly #parameters: Readonly<Record<string, Tensor>>;
  readonly #batch: BatchShape;
  readonly #waiting: { readonly window: Int32Array; readonly sum: LossSum }[] = [];

  /**
   * Compiles the graph.
   * @param parameters flat, in layout order; they are read in place, so they must not change
   */
  static async create(model: ModelConfig, parameters: Float32Array, threads: number): Promise<TextEvaluator> {
    const sequenceLength = Math.min(model.contextLength, maxWindow);
    const batch = { batchSize: Math.floor(maxWindow / sequenceLength), sequenceLength };
    const session = await createSession(encodeTokenLossGraph(model, batch), { threads, device: { kind: 'cpu' } });
    return new TextEvaluator(session, tensorViews(computeModelLayout(model), parameters), batch);
  }

  private constructor(session: InferenceSession, parameters: Record<string, Tensor>, batch: BatchShape) {
    this.#session = session;
    this.#parameters = parameters;
    this.#batch = batch;
  }

  /** T: the context length, or 1024 where that is longer. */
  get windowLength(): number {
    return this.#batch.sequenceLength;
  }

  /**
   * Adds a window; runs when a batch is full.
   * @param window 2 to T + 1 tokens: all but the last are read, all but the first predicted
   */
  async add(window: Int32Array, sum: LossSum): Promise<void> {
    this.#waiting.push({ window, sum });
    if (this.#waiting.length === this.#batch.batchSize) {
      await this.flush();
    }
  }

  /** Evaluates what waits. */
  async flush(): Promise<void> {
    const waiting = this.#waiting.splice(0);
    if (waiting.length === 0) {
      return;
    }
    const { batchSize, sequenceLength } = this.#batch;
    const inputs = new Int32Array(batchSize * sequenceLength);
    const targets = new Int32Array(batchSize * sequenceLength);
    for (const [row, { window }] of waiting.entries()) {
      // What is missing stays token 0 behind the text, where it changes no loss that is counted.
      inputs.set(window.subarray(0, -1), row * sequenceLength);
      targets.set(window.subarray(1), row * sequenceLength);
    }
    const shape = [inputs.length];
    const results = await this.#session.run({
      ...this.#parameters,
      inputs: new Tensor('int32', inputs, shape),
      targets: new Tensor('int32', targets, shape),
    });
    const losses = results.losses!.data as Float32Array;
    for (const [row, { window, sum }] of waiting.entries()) {
      const start = row * sequenceLength;
      const count = window.length - 1;
      sum.tokens += count;
      sum.nats += losses.subarray(start, start + count).reduce((total, loss) => total + loss, 0);
    }
  }

  /** Frees the memory; the evaluator must not be used afterwards. */
  async release(): Promise<void> {
    await this.#session.release();
  }
}
