import test from 'ava';
import fc from 'fast-check';
import { computeDistinctIds, computeDistinctInputs } from '../../src/trainer/distinct-ids.ts';

test('the ids of the tokens come first, ascending, then the least that are free', (t) => {
  const { ids, ranks } = computeDistinctIds(Int32Array.of(7, 2, 7, 0, 2), 9);
  t.deepEqual([...ids], [0, 2, 7, 1, 3]);
  t.deepEqual([...ranks], [2, 1, 2, 0, 1]);
});

test('as many tokens as ids, no token, and one id', (t) => {
  t.deepEqual([...computeDistinctIds(Int32Array.of(1, 1, 1), 3).ids], [1, 0, 2]);
  t.deepEqual([...computeDistinctIds(new Int32Array(), 3).ids], []);
  t.deepEqual([...computeDistinctIds(Int32Array.of(0), 1).ranks], [0]);
});

test('refuses more tokens than ids and tokens that are no ids', (t) => {
  t.throws(() => computeDistinctIds(new Int32Array(4), 3), { instanceOf: RangeError, message: /4 tokens/ });
  t.throws(() => computeDistinctIds(Int32Array.of(3), 3), { instanceOf: RangeError, message: /token 3 / });
  t.throws(() => computeDistinctIds(Int32Array.of(-1), 3), { instanceOf: RangeError, message: /token -1 / });
});

test('every pass has ids of its own, and a token that is only predicted has none', (t) => {
  const tokens = Int32Array.of(5, 4, 9, 4, 5, 9, 3, 3, 9, 0, 3, 9);
  const { ids, ranks } = computeDistinctInputs(tokens, { batchSize: 2, sequenceLength: 2 }, 10);
  t.deepEqual([...ids], [4, 5, 0, 1, 0, 3, 1, 2]);
  t.deepEqual([...ranks], [1, 0, 0, 1, 1, 1, 0, 1]);
});

test('no id is there twice, all are in range, and the ranks lead back to the tokens', (t) => {
  const cases = fc
    .integer({ min: 1, max: 40 })
    .chain((vocabSize) =>
      fc.tuple(
        fc.constant(vocabSize),
        fc.array(fc.integer({ min: 0, max: vocabSize - 1 }), { minLength: 1, maxLength: vocabSize }),
      ),
    );
  const property = fc.property(cases, ([vocabSize, tokens]) => {
    const { ids, ranks } = computeDistinctIds(Int32Array.from(tokens), vocabSize);
    return (
      ids.length === tokens.length &&
      new Set(ids).size === ids.length &&
      ids.every((id) => id >= 0 && id < vocabSize) &&
      tokens.every((token, at) => ids[ranks[at]!] === token)
    );
  });
  t.notThrows(() => fc.assert(property, { seed: 7 }));
});
