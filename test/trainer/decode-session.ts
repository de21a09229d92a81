import test from 'ava';
import { DecodeSession } from '../../src/trainer/decode-session.ts';
import { plainLogits } from './helpers/plain-decoder.ts';
import { createRandomParameters, createRandomTokens, tinyModels } from './helpers/random-model.ts';

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.max(...Array.from(a, (value, at) => Math.abs(value - b[at]!)));
}

for (const [name, model] of Object.entries(tinyModels)) {
  test(`logits are those of plain loops in doubles, token by token and in pieces: ${name}`, async (t) => {
    const parameters = createRandomParameters(model, 3);
    const tokens = createRandomTokens(model, model.contextLength, 5);
    const expected = plainLogits(model, parameters, tokens);
    const session = await DecodeSession.create(model, parameters, 1);
    for (const [at, token] of tokens.entries()) {
      const logits = await session.append([token]);
      t.is(logits.length, model.vocabSize);
      const difference = largestDifference(logits, expected[at]!);
      t.true(difference < 1e-5, `${at}: ${difference}`);
    }
    session.reset();
    t.is(session.length, 0);
    for (const [start, end] of [
      [0, 5],
      [5, 6],
      [6, 11],
      [11, tokens.length],
    ] as const) {
      const difference = largestDifference(await session.append(tokens.subarray(start, end)), expected[end - 1]!);
      t.true(difference < 1e-5, `${start} ${end}: ${difference}`);
      t.is(session.length, end);
    }
    await session.release();
  });
}

test('logits that were given out stay as they are', async (t) => {
  const model = tinyModels['grouped, tied']!;
  const session = await DecodeSession.create(model, createRandomParameters(model, 3), 1);
  const first = await session.append([1, 2, 3]);
  const copy = first.slice();
  await session.append([4]);
  t.deepEqual(first, copy);
  session.reset();
  t.deepEqual(await session.append([1, 2, 3]), first);
  await session.release();
});

test('a text longer than one run is cut into runs', async (t) => {
  const model = { ...tinyModels['grouped, untied']!, contextLength: 300, layers: 1 };
  const parameters = createRandomParameters(model, 4);
  const tokens = createRandomTokens(model, 300, 6);
  const session = await DecodeSession.create(model, parameters, 1);
  const difference = largestDifference(await session.append(tokens), plainLogits(model, parameters, tokens)[299]!);
  t.true(difference < 1e-5, `${difference}`);
  await session.release();
});

test('more than the context holds, or nothing, is a fault of the caller', async (t) => {
  const model = tinyModels['grouped, tied']!;
  const session = await DecodeSession.create(model, createRandomParameters(model, 3), 1);
  await session.append(new Int32Array(24));
  await t.throwsAsync(session.append([1]));
  session.reset();
  await t.throwsAsync(session.append([]));
  await session.release();
});
