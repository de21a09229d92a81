/**
 * A text that a model continues: its tokens so far as a key-value cache, and the logits of what comes next. Each run
 * blocks the thread; between two runs other work gets its turn.
 * spec/generation.md#key-value-cache
 *
 * L = layers, K = key-value heads, P = tokens in the cache, d = width of a head, V = vocabulary size
 */
import assert from 'node:assert/strict';
import { computeModelLayout, type ModelConfig } from '../protocol/model.ts';
import { createSession } from './create-session.ts';
import { cacheNames, encodeDecodeGraph } from './graph/decode-graph.ts';
import { type InferenceSession, Tensor } from './onnx-runtime.ts';
import { tensorViews } from './training-session.ts';

/** Most tokens of one run: bounds the memory of attention, and the wait for Ctrl-C. */
const chunkLength = 256;

/** A compiled decode graph with the cache of one text. */
export class DecodeSession {
  readonly #session: InferenceSession;
  readonly #model: ModelConfig;
  readonly #parameters: Readonly<Record<string, Tensor>>;
  /** The cache, and where the next run writes the longer one; they change places. Each is L × 2 × [K, room, d]. */
  #cache: Float32Array = new Float32Array();
  #spare: Float32Array = new Float32Array();
  #length = 0;

  /**
   * Compiles the graph, with an empty cache. It runs on the CPU: a GPU would be sent all parameters for every token.
   * @param parameters flat, in layout order; they are read in place, so they must not change
   */
  static async create(model: ModelConfig, parameters: Float32Array, threads: number): Promise<DecodeSession> {
    const session = await createSession(encodeDecodeGraph(model), { threads, device: { kind: 'cpu' } });
    return new DecodeSession(session, model, tensorViews(computeModelLayout(model), parameters));
  }

  private constructor(session: InferenceSession, model: ModelConfig, parameters: Record<string, Tensor>) {
    this.#session = session;
    this.#model = model;
    this.#parameters = parameters;
  }

  /** Tokens in the cache, 0 to `contextLength`. */
  get length(): number {
    return this.#length;
  }

  /**
   * Adds tokens to the cache.
   * @param tokens at least one, each 0 to V − 1, and no more than `contextLength` with those in the cache
   * @returns [V], logits of the token that follows
   */
  async append(tokens: ArrayLike<number>): Promise<Float32Array> {
    assert(tokens.length > 0 && this.#length + tokens.length <= this.#model.contextLength, 'tokens fit the context');
    const all = Int32Array.from(tokens);
    let logits = new Float32Array(this.#model.vocabSize);
    for (let start = 0; start < all.length; start += chunkLength) {
      logits = await this.#run(all.subarray(start, start + chunkLength));
    }
    return logits;
  }

  /** Empties the cache. */
  reset(): void {
    this.#length = 0;
  }

  /** Frees the memory; the session must not be used afterwards. */
  async release(): Promise<void> {
    await this.#session.release();
  }

  async #run(tokens: Int32Array): Promise<Float32Array<ArrayBuffer>> {
    const { layers, kvHeads, dim, heads, vocabSize } = this.#model;
    const total = this.#length + tokens.length;
    const size = layers * 2 * kvHeads * (dim / heads);
    if (this.#spare.length < size * total) {
      // Room for as many again, so that a text of n tokens is copied to a larger place only log n times.
      this.#spare = new Float32Array(size * Math.min(this.#model.contextLength, 2 * total));
    }
    const logits = new Float32Array(vocabSize);
    await this.#session.run(
      {
        ...this.#parameters,
        ...this.#views(cacheNames.past, this.#cache, this.#length),
        tokens: new Tensor('int32', tokens, [tokens.length]),
      },
      {
        ...this.#views(cacheNames.present, this.#spare, total),
        logits: new Tensor('float32', logits, [1, vocabSize]),
      },
    );
    [this.#cache, this.#spare] = [this.#spare, this.#cache];
    this.#length = total;
    return logits;
  }

  /** Cached tensors of `length` tokens in a buffer, one after the other. */
  #views(prefix: string, buffer: Float32Array, length: number): Record<string, Tensor> {
    const { layers, kvHeads, dim, heads } = this.#model;
    const shape = [kvHeads, length, dim / heads];
    const size = kvHeads * length * (dim / heads);
    const names = Array.from({ length: layers }, (_, layer) => cacheNames.kinds.map((kind) => prefix + kind + layer));
    return Object.fromEntries(
      names.flat().map((name, at) => [name, new Tensor('float32', buffer.subarray(at * size, (at + 1) * size), shape)]),
    );
  }
}
