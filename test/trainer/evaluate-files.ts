import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { ModelConfig } from '../../src/protocol/model.ts';
import { listFiles } from '../../src/trainer/data/list-files.ts';
import { type EvaluateFilesInit, evaluateFiles, type FileLoss } from '../../src/trainer/evaluate-files.ts';
import { TextEvaluator } from '../../src/trainer/evaluate-text.ts';
import { createByteTokenizer } from '../../src/trainer/tokenizer/byte-tokenizer.ts';
import type { Tokenizer } from '../../src/trainer/tokenizer/tokenizer.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';
import { plainLogits } from './helpers/plain-decoder.ts';
import { createRandomParameters, tinyModels } from './helpers/random-model.ts';

const model: ModelConfig = { ...tinyModels['grouped, untied']!, vocabSize: 256, contextLength: 8 };
const parameters = createRandomParameters(model, 21);
const bytes = createByteTokenizer();

/** Two bytes are one token, the sum of them; the last may be alone. Decodes to as many bytes. */
const pairs: Tokenizer = {
  ...bytes,
  encode: (text) =>
    Int32Array.from({ length: Math.ceil(text.length / 2) }, (_, at) => (text[2 * at]! + (text[2 * at + 1] ?? 0)) % 256),
  decode: (tokens) => new Uint8Array(tokens.length * 2),
};

/** −Σ ln p over windows of 8 predictions, from plain loops in doubles. */
function computeNats(tokens: readonly number[], most = Number.POSITIVE_INFINITY): number {
  let nats = 0;
  for (let start = 0; start + 1 < tokens.length && start < 8 * most; start += 8) {
    const window = tokens.slice(start, start + 9);
    for (const [at, row] of plainLogits(model, parameters, window.slice(0, -1)).entries()) {
      nats += Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - row[window[at + 1]!]!;
    }
  }
  return nats;
}

function isNear(t: ExecutionContext, found: number, expected: number): void {
  t.true(Math.abs(found - expected) <= 1e-5 * Math.max(1, expected), `${found} ${expected}`);
}

async function evaluate(
  t: ExecutionContext,
  contents: Record<string, string | Uint8Array>,
  change: Partial<EvaluateFilesInit> = {},
): Promise<FileLoss[]> {
  const folder = await makeTemporaryFolder(t);
  for (const [name, content] of Object.entries(contents)) await writeFile(join(folder, name), content);
  const evaluator = await TextEvaluator.create(model, parameters, 1);
  const losses = await evaluateFiles({
    evaluator,
    tokenizer: bytes,
    files: await listFiles([folder]),
    textField: 'text',
    maxWindows: Number.POSITIVE_INFINITY,
    detectLanguage: (text) => (text[0]! < 0x80 ? 'Latin' : 'other'),
    onProgress: () => {},
    signal: new AbortController().signal,
    ...change,
  });
  await evaluator.release();
  return losses.map((loss) => ({ ...loss, path: loss.path.slice(folder.length + 1) }));
}

test('every byte of a document but its first is predicted once, and padding does not count', async (t) => {
  const text = 'nineteen characters';
  const [loss] = await evaluate(t, { 'a.txt': text });
  t.like(loss, { path: 'a.txt', language: 'Latin', documents: 1, tokens: 18, bytes: 18 });
  isNear(t, loss!.nats, computeNats([...Buffer.from(text)]));
});

test('documents do not see each other and add up by file and language', async (t) => {
  const texts = ['first one', 'x', 'юг', 'the second, longer one', 'seventeen letters'];
  const jsonl = texts.slice(0, 4).map((text) => JSON.stringify({ text }));
  const losses = await evaluate(t, { 'a.jsonl': jsonl.join('\n'), 'b.md': texts[4]! });
  t.is(losses.length, 3);
  t.like(losses[0], { path: 'a.jsonl', language: 'Latin', documents: 3, tokens: 8 + 0 + 21, bytes: 8 + 0 + 21 });
  t.like(losses[1], { path: 'a.jsonl', language: 'other', documents: 1, tokens: 3, bytes: 3 });
  t.like(losses[2], { path: 'b.md', language: 'Latin', documents: 1, tokens: 16, bytes: 16 });
  const nats = texts.map((text) => computeNats([...Buffer.from(text)]));
  isNear(t, losses[0]!.nats, nats[0]! + nats[1]! + nats[3]!);
  isNear(t, losses[1]!.nats, nats[2]!);
  isNear(t, losses[2]!.nats, nats[4]!);
});

test('of every file only the first windows are taken when so many are asked for', async (t) => {
  const texts = ['twelve bytes', 'a document of thirty-one bytes!'];
  const jsonl = texts.map((text) => JSON.stringify({ text })).join('\n');
  const losses = await evaluate(t, { 'a.jsonl': jsonl, 'b.txt': 'short' }, { maxWindows: 4 });
  // Two windows of the first document, with 8 and 3 predictions, and two full ones of the second.
  t.like(losses[0], { documents: 2, tokens: 11 + 16, bytes: 11 + 16 });
  isNear(t, losses[0]!.nats, computeNats([...Buffer.from(texts[0]!)]) + computeNats([...Buffer.from(texts[1]!)], 2));
  t.like(losses[1], { documents: 1, tokens: 4, bytes: 4 });
});

test('bytes are those of the text, without those of the first token', async (t) => {
  const text = 'a text of twenty-nine letters';
  const [loss] = await evaluate(t, { 'a.txt': text }, { tokenizer: pairs });
  t.like(loss, { tokens: 14, bytes: 27 });
  isNear(t, loss!.nats, computeNats([...pairs.encode(Buffer.from(text))]));
  const [capped] = await evaluate(t, { 'a.txt': text }, { tokenizer: pairs, maxWindows: 1 });
  t.like(capped, { tokens: 8, bytes: 16 });
});

test('a document of many pieces is one document', async (t) => {
  const text = Uint8Array.from({ length: 2 ** 16 + 1003 }, (_, at) => 97 + ((at * at) % 23));
  const [loss] = await evaluate(t, { 'a.txt': text });
  t.like(loss, { documents: 1, tokens: text.length - 1, bytes: text.length - 1 });
  // Windows lie on a grid from the document's start, so a multiple of 8 cuts none of them.
  const whole = 2 ** 16 - 64;
  const halves = await evaluate(t, { 'a.txt': text.slice(0, whole + 1), 'b.txt': text.slice(whole) });
  isNear(t, loss!.nats, halves[0]!.nats + halves[1]!.nats);
});

test('progress is told in bytes of all files', async (t) => {
  const told: number[] = [];
  await evaluate(t, { 'a.txt': '12345', 'b.txt': '1234567' }, { onProgress: (readBytes) => told.push(readBytes) });
  t.deepEqual(told, [5, 12]);
});

test('an abort ends it with its reason', async (t) => {
  const reason = new Error('enough');
  await t.throwsAsync(evaluate(t, { 'a.txt': 'text' }, { signal: AbortSignal.abort(reason) }), { is: reason });
});

test('windows are as long as the context, at most 1024', async (t) => {
  for (const [contextLength, expected] of [
    [8, 8],
    [1000, 1000],
    [4096, 1024],
  ] as const) {
    const evaluator = await TextEvaluator.create({ ...model, contextLength }, parameters, 1);
    t.is(evaluator.windowLength, expected);
    await evaluator.release();
  }
});
