import test from 'ava';
import type { ModelConfig } from '../../../src/protocol/model.ts';
import { DecodeSession } from '../../../src/trainer/decode-session.ts';
import {
  type Continuation,
  fitContext,
  type GenerateEnd,
  type GenerateInit,
  generate,
} from '../../../src/trainer/generate/generator.ts';
import { createSampler, type SamplerSettings } from '../../../src/trainer/generate/sampler.ts';
import { createRandom } from '../../../src/trainer/generate/seeded-random.ts';
import { plainLogits } from '../helpers/plain-decoder.ts';
import { createRandomParameters, createRandomTokens, tinyModels } from '../helpers/random-model.ts';

const greedy: SamplerSettings = { temperature: 0, topK: 0, topP: 1 };
const forever = new AbortController().signal;

async function collect(model: Continuation, init: GenerateInit): Promise<{ tokens: number[]; end: GenerateEnd }> {
  const tokens: number[] = [];
  const steps = generate(model, init);
  for (let step = await steps.next(); ; step = await steps.next()) {
    if (step.done === true) return { tokens, end: step.value };
    tokens.push(step.value);
  }
}

/** Says what it is given; the next token is always one more than the last. */
class Counter implements Continuation {
  readonly calls: (string | number[])[] = [];
  async append(tokens: ArrayLike<number>): Promise<Float32Array> {
    this.calls.push(Array.from(tokens));
    const logits = new Float32Array(100);
    logits[tokens[tokens.length - 1]! + 1] = 1;
    return logits;
  }
  reset(): void {
    this.calls.push('reset');
  }
}

function createInit(change: Partial<GenerateInit> = {}): GenerateInit {
  const sampler = createSampler(greedy, createRandom(0));
  return {
    contextLength: 4,
    prompt: [10],
    sampler,
    maxTokens: 7,
    cache: true,
    separator: null,
    signal: forever,
    ...change,
  };
}

async function generateTokens(
  model: ModelConfig,
  cache: boolean,
  settings: SamplerSettings,
  seed: number,
): Promise<number[]> {
  const session = await DecodeSession.create(model, createRandomParameters(model, 8), 1);
  const sampler = createSampler(settings, createRandom(seed));
  const prompt = createRandomTokens(model, 5, 9);
  const { contextLength } = model;
  const { tokens } = await collect(session, createInit({ contextLength, prompt, sampler, maxTokens: 70, cache }));
  await session.release();
  return tokens;
}

for (const [name, model] of Object.entries(tinyModels)) {
  test(`with and without cache the same text comes out, beyond the context too: ${name}`, async (t) => {
    const cached = await generateTokens(model, true, greedy, 0);
    t.is(cached.length, 70);
    t.deepEqual(await generateTokens(model, false, greedy, 0), cached);
    t.true(new Set(cached).size > 3, 'a text that repeats itself would prove little');
    const warm = { temperature: 0.9, topK: 20, topP: 0.95 };
    t.deepEqual(await generateTokens(model, false, warm, 5), await generateTokens(model, true, warm, 5));
  });
}

test('greedy tokens are those of plain loops, by the rule of the last half', async (t) => {
  const model = tinyModels['grouped, untied']!;
  const parameters = createRandomParameters(model, 8);
  let context = [...createRandomTokens(model, 5, 9)];
  const expected: number[] = [];
  while (expected.length < 40) {
    const logits = plainLogits(model, parameters, context).at(-1)!;
    expected.push(logits.indexOf(Math.max(...logits)));
    context.push(expected.at(-1)!);
    if (context.length > model.contextLength) context = context.slice(-model.contextLength / 2);
  }
  t.deepEqual((await generateTokens(model, true, greedy, 0)).slice(0, 40), expected);
});

test('the same seed gives the same text, another one another', async (t) => {
  const model = tinyModels['full, untied']!;
  const warm = { temperature: 1, topK: 0, topP: 1 };
  const first = await generateTokens(model, true, warm, 1);
  t.deepEqual(await generateTokens(model, true, warm, 1), first);
  t.notDeepEqual(await generateTokens(model, true, warm, 2), first);
});

test('with a cache only new tokens are computed, until the context is full', async (t) => {
  const counter = new Counter();
  const { tokens, end } = await collect(counter, createInit());
  t.deepEqual(tokens, [11, 12, 13, 14, 15, 16, 17]);
  t.is(end, 'max-tokens');
  const expected = ['reset', [10], [11], [12], [13], 'reset', [13, 14], [15], [16], 'reset'];
  t.deepEqual(counter.calls.slice(0, expected.length), expected);
});

test('without a cache the whole context is computed, by the same rule', async (t) => {
  const counter = new Counter();
  t.deepEqual((await collect(counter, createInit({ cache: false }))).tokens, [11, 12, 13, 14, 15, 16, 17]);
  const appended = counter.calls.filter((call) => call !== 'reset');
  const expected = [[10], [10, 11], [10, 11, 12], [10, 11, 12, 13], [13, 14], [13, 14, 15], [13, 14, 15, 16]];
  t.deepEqual(appended, expected);
});

test('of a prompt that is longer than the context its end is used', async (t) => {
  const counter = new Counter();
  const { tokens } = await collect(counter, createInit({ prompt: [1, 2, 3, 4, 5, 6], maxTokens: 1 }));
  t.deepEqual(tokens, [7]);
  t.deepEqual(counter.calls[1], [3, 4, 5, 6]);
});

test('a context of one token still goes on', async (t) => {
  t.deepEqual(fitContext([1, 2], 1), [2]);
  t.deepEqual(fitContext([1, 2, 3, 4, 5, 6], 5), [5, 6]);
  t.deepEqual((await collect(new Counter(), createInit({ contextLength: 1 }))).tokens.length, 7);
});

test('the separator ends the text and is not part of it', async (t) => {
  t.deepEqual(await collect(new Counter(), createInit({ separator: 13 })), { tokens: [11, 12], end: 'separator' });
});

test('an abort ends the text before the next token is computed', async (t) => {
  const controller = new AbortController();
  const counter = new Counter();
  const steps = generate(counter, createInit({ signal: controller.signal }));
  t.deepEqual(await steps.next(), { done: false, value: 11 });
  controller.abort();
  t.deepEqual(await steps.next(), { done: true, value: 'aborted' });
  t.deepEqual(
    counter.calls.filter((call) => call !== 'reset'),
    [[10]],
  );
});
