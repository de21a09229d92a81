/**
 * Continues a prompt, token by token. spec/generation.md#generating
 *
 * C = context length of the model
 */
import type { Sampler } from './sampler.ts';

/** What generating needs of a model; `DecodeSession` is one. */
export interface Continuation {
  /** Adds tokens to the text; gives the logits of the token that follows. */
  append(tokens: ArrayLike<number>): Promise<Float32Array>;
  /** Begins an empty text. */
  reset(): void;
}

/** What to generate. */
export interface GenerateInit {
  readonly contextLength: number;
  /** at least one token; of a longer one than the context only the end is used */
  readonly prompt: ArrayLike<number>;
  readonly sampler: Sampler;
  readonly maxTokens: number;
  /** true: earlier tokens are kept as keys and values; false: the whole context is computed for every token */
  readonly cache: boolean;
  /** a token that ends the text; it is not given out */
  readonly separator: number | null;
  readonly signal: AbortSignal;
}

/** Why no token follows. An abort is an ending like others, not an error. */
export type GenerateEnd = 'max-tokens' | 'separator' | 'aborted';

/**
 * The context that a token is predicted from: all tokens while they fit, else their last ⌊C / 2⌋, at least one.
 * Half, so that a new cache is not needed for every token. Positions count from 0 again.
 */
export function fitContext(tokens: readonly number[], contextLength: number): readonly number[] {
  return tokens.length <= contextLength ? tokens : tokens.slice(-Math.max(1, Math.floor(contextLength / 2)));
}

/**
 * Tokens that follow the prompt, as they come; with and without cache by the same rules.
 * @returns (when all are given out) why it ended
 */
export async function* generate(model: Continuation, init: GenerateInit): AsyncGenerator<number, GenerateEnd> {
  const { contextLength, sampler, maxTokens, cache, separator, signal } = init;
  let context: readonly number[] = Array.from(init.prompt).slice(-contextLength);
  let fresh = context;
  model.reset();
  for (let count = 0; count < maxTokens; count++) {
    if (signal.aborted) {
      return 'aborted';
    }
    const token = sampler(await model.append(fresh));
    if (token === separator) {
      return 'separator';
    }
    yield token;
    const longer = [...context, token];
    context = fitContext(longer, contextLength);
    if (cache && context === longer) {
      fresh = [token];
    } else {
      model.reset();
      fresh = context;
    }
  }
  return 'max-tokens';
}
