import test from 'ava';
import {
  type GenerateTextInit,
  type GenerateTextResult,
  generateText,
} from '../../../src/trainer/generate/generate-text.ts';
import type { Continuation } from '../../../src/trainer/generate/generator.ts';
import { createByteTokenizer } from '../../../src/trainer/tokenizer/byte-tokenizer.ts';

/** Goes on with given bytes, whatever it is told; says what it was told first. */
class Script implements Continuation {
  readonly #bytes: Iterator<number>;
  first: number[] | null = null;
  constructor(bytes: Iterable<number>) {
    this.#bytes = bytes[Symbol.iterator]();
  }
  async append(tokens: ArrayLike<number>): Promise<Float32Array> {
    this.first ??= Array.from(tokens);
    const logits = new Float32Array(256);
    logits[this.#bytes.next().value as number] = 1;
    return logits;
  }
  reset(): void {}
}

async function collect(
  model: Continuation,
  change: Partial<GenerateTextInit> = {},
): Promise<GenerateTextResult & { parts: string[] }> {
  const parts: string[] = [];
  const settings = { temperature: 0, topK: 0, topP: 1, seed: 0, cache: true, maxTokens: 9, contextLength: 32 };
  const { signal } = new AbortController();
  const steps = generateText(model, { ...settings, tokenizer: createByteTokenizer(), prompt: 'a', signal, ...change });
  for (let step = await steps.next(); ; step = await steps.next()) {
    if (step.done === true) return { ...step.value, parts };
    parts.push(step.value);
  }
}

test('whole characters come out, and nothing where there is nothing to show', async (t) => {
  const script = new Script(Buffer.from('é is one'));
  const { parts, ...result } = await collect(script, { prompt: 'caf' });
  t.deepEqual(parts, ['é', ' ', 'i', 's', ' ', 'o', 'n', 'e']);
  t.deepEqual(result, { promptTokens: 3, tokens: 9, end: 'max-tokens' });
  t.deepEqual(script.first, [...Buffer.from('caf')]);
});

test('it ends at the separator, which is not shown', async (t) => {
  const result = await collect(new Script(Buffer.from('ok\0more')));
  t.deepEqual(result, { promptTokens: 1, tokens: 2, end: 'separator', parts: ['o', 'k'] });
});

test('a character that is not whole at the end is shown as broken', async (t) => {
  t.deepEqual((await collect(new Script([0x6f, 0xe2, 0x82]), { maxTokens: 3 })).parts, ['o', '\uFFFD']);
});

test('without a prompt the model reads a separator first', async (t) => {
  const script = new Script(Buffer.from('It begins'));
  t.like(await collect(script, { prompt: '' }), { promptTokens: 0, tokens: 9 });
  t.deepEqual(script.first, [0]);
});

test('wrong settings are refused before anything is computed', async (t) => {
  const script = new Script([]);
  await t.throwsAsync(collect(script, { topP: 2 }), { code: 'generate-setting' });
  t.is(script.first, null);
});
