/** Text in, text out: tokenizer, sampler, generator and text stream put together. spec/generation.md#generating */
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { type Continuation, type GenerateEnd, type GenerateInit, generate } from './generator.ts';
import { createSampler, type SamplerSettings } from './sampler.ts';
import { createRandom } from './seeded-random.ts';
import { TextStream } from './text-stream.ts';

/** What to continue and how. */
export interface GenerateTextInit
  extends SamplerSettings,
    Pick<GenerateInit, 'contextLength' | 'maxTokens' | 'cache' | 'signal'> {
  readonly tokenizer: Tokenizer;
  /** may be empty: then the model begins a document */
  readonly prompt: string;
  readonly seed: number;
}

/** What is known when no text follows. */
export interface GenerateTextResult {
  readonly promptTokens: number;
  /** tokens that were drawn, without a separator */
  readonly tokens: number;
  readonly end: GenerateEnd;
}

/**
 * The text after the prompt, as it comes: whole characters, one part a token where there is something to show. It ends at
 * the tokenizer's separator.
 * @throws {TapestryError} `generate-setting`, `generate-logits`
 */
export async function* generateText(
  model: Continuation,
  init: GenerateTextInit,
): AsyncGenerator<string, GenerateTextResult> {
  const { tokenizer, seed, contextLength, maxTokens, cache, signal } = init;
  const sampler = createSampler(init, createRandom(seed));
  const encoded = tokenizer.encode(Buffer.from(init.prompt));
  const prompt = encoded.length > 0 ? encoded : Int32Array.of(tokenizer.separator);
  const text = new TextStream(tokenizer, encoded);
  const { separator } = tokenizer;
  const steps = generate(model, { contextLength, prompt, sampler, maxTokens, cache, separator, signal });
  let tokens = 0;
  for (let step = await steps.next(); ; step = await steps.next()) {
    const part = step.done === true ? text.end() : text.push(step.value);
    if (part !== '') {
      yield part;
    }
    if (step.done === true) {
      return { promptTokens: encoded.length, tokens, end: step.value };
    }
    tokens += 1;
  }
}
