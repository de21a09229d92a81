import test from 'ava';
import fc from 'fast-check';
import type { AggregationEntry } from '../../src/protocol/aggregate.ts';
import {
  clipScale,
  computeEqualWeights,
  equalMean,
  isClip,
  isWeight,
  weightScale,
} from '../../src/protocol/aggregate.ts';
import { decodeBody, encodeBody } from '../../src/protocol/compressor/index.ts';

const entriesAndShare = fc.record({
  entries: fc
    .array(fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'), { nil: null }), { maxLength: 40 })
    .map((members) => members.map((member, index): AggregationEntry => ({ key: `key-${index}`, member }))),
  openSharePermille: fc.integer({ min: 0, max: 1000 }),
});

const sum = (weights: readonly number[]): number => weights.reduce((total, weight) => total + weight, 0);

test('four members weigh a quarter each', (t) => {
  const entries = ['a', 'b', 'c', 'd'].map((member) => ({ key: member, member }));
  t.deepEqual(computeEqualWeights(entries, { openSharePermille: 250 }), [2 ** 28, 2 ** 28, 2 ** 28, 2 ** 28]);
});

test('the peers of one member share what one peer alone would weigh', (t) => {
  const entries = [
    { key: '1', member: 'a' },
    { key: '2', member: 'b' },
    { key: '3', member: 'b' },
  ];
  t.deepEqual(computeEqualWeights(entries, { openSharePermille: 250 }), [2 ** 29, 2 ** 28, 2 ** 28]);
});

test('trainers share at most the open share, however many they are, and members have the rest', (t) => {
  const trainers = Array.from({ length: 300 }, (_, index) => ({ key: `t${index}`, member: null }));
  const entries = [{ key: '1', member: 'a' }, { key: '2', member: 'b' }, ...trainers];
  const weights = computeEqualWeights(entries, { openSharePermille: 100 });
  const open = Math.floor(2 ** 30 / 10);
  t.deepEqual(weights.slice(0, 2), [Math.floor((2 ** 30 - open) / 2), Math.floor((2 ** 30 - open) / 2)]);
  t.deepEqual(new Set(weights.slice(2)), new Set([Math.floor(open / 300)]));
});

test('below the open share a trainer weighs what a member weighs', (t) => {
  const entries = [
    { key: '1', member: 'a' },
    { key: '2', member: 'b' },
    { key: '3', member: 'c' },
    { key: '4', member: null },
  ];
  t.deepEqual(computeEqualWeights(entries, { openSharePermille: 250 }), Array(4).fill(2 ** 28));
});

test('trainers alone weigh the open share, and the part of the members stays on the base', (t) => {
  const entries = [
    { key: '1', member: null },
    { key: '2', member: null },
  ];
  t.deepEqual(computeEqualWeights(entries, { openSharePermille: 250 }), [2 ** 27, 2 ** 27]);
  t.deepEqual(computeEqualWeights(entries, { openSharePermille: 1000 }), [2 ** 29, 2 ** 29]);
});

test('with an open share of nothing trainers weigh nothing and cost nothing', (t) => {
  const entries = [
    { key: '1', member: 'a' },
    { key: '2', member: null },
  ];
  t.deepEqual(computeEqualWeights(entries, { openSharePermille: 0 }), [2 ** 30, 0]);
});

test('nobody weighs nothing', (t) => {
  t.deepEqual(computeEqualWeights([], { openSharePermille: 250 }), []);
});

test('a key that contributes twice is a bug of the caller', (t) => {
  const entry = { key: '1', member: 'a' };
  t.throws(() => computeEqualWeights([entry, entry], { openSharePermille: 250 }));
});

for (const openSharePermille of [-1, 0.5, 1001, Number.NaN]) {
  test(`an open share of ${openSharePermille} thousandths is a bug of the caller`, (t) => {
    t.throws(() => computeEqualWeights([], { openSharePermille }));
  });
}

test('weights are whole, sum to at most 1, and the trainers to at most the open share', (t) => {
  fc.assert(
    fc.property(entriesAndShare, ({ entries, openSharePermille }) => {
      const weights = computeEqualWeights(entries, { openSharePermille });
      const open = weights.filter((_, index) => entries[index]!.member === null);
      return (
        weights.every(isWeight) &&
        sum(weights) <= weightScale &&
        sum(open) * 1000 <= weightScale * openSharePermille &&
        new Set(open).size <= 1
      );
    }),
    { seed: 20_263, numRuns: 1000 },
  );
  t.pass();
});

test('every member weighs the same, to the floor of its peers', (t) => {
  fc.assert(
    fc.property(entriesAndShare, ({ entries, openSharePermille }) => {
      const weights = computeEqualWeights(entries, { openSharePermille });
      const members = new Set(entries.flatMap(({ member }) => (member === null ? [] : [member])));
      const trainers = BigInt(entries.filter(({ member }) => member === null).length);
      const count = BigInt(members.size) + trainers;
      const share = BigInt(openSharePermille);
      // The rules again, in whole numbers of any size.
      const cap = (2n ** 30n * share) / 1000n;
      const open = count === 0n ? 0n : 1000n * trainers > share * count ? cap : (2n ** 30n * trainers) / count;
      return [...members].every((member) => {
        const own = weights.filter((_, index) => entries[index]!.member === member);
        const divisor = BigInt(members.size * own.length);
        return own.every((weight) => BigInt(weight) === (2n ** 30n - open) / divisor);
      });
    }),
    { seed: 20_264, numRuns: 1000 },
  );
  t.pass();
});

test('no crowd of trainers takes more from the members than the open share', (t) => {
  fc.assert(
    fc.property(entriesAndShare, fc.nat({ max: 2000 }), ({ entries, openSharePermille }, crowd) => {
      const members = entries.filter(({ member }) => member !== null);
      const trainers = Array.from({ length: crowd }, (_, index) => ({ key: `crowd-${index}`, member: null }));
      const alone = computeEqualWeights(members, { openSharePermille });
      const crowded = computeEqualWeights([...members, ...trainers], { openSharePermille });
      // A weight is floored twice, so it may fall short of its exact part by less than 2.
      return alone.every(
        (weight, index) =>
          (weight * (1000 - openSharePermille)) / 1000 - crowded[index]! < 2 && crowded[index]! <= weight,
      );
    }),
    { seed: 20_266, numRuns: 300 },
  );
  t.pass();
});

test('the order of the entries changes no weight', (t) => {
  fc.assert(
    fc.property(entriesAndShare, fc.infiniteStream(fc.nat()), ({ entries, openSharePermille }, random) => {
      const weightOf = (list: readonly AggregationEntry[]): Map<string, number> => {
        const weights = computeEqualWeights(list, { openSharePermille });
        return new Map(list.map((entry, index) => [entry.key, weights[index]!]));
      };
      const ranks = new Map(entries.map((entry) => [entry.key, random.next().value as number]));
      const shuffled = [...entries].sort((a, b) => ranks.get(a.key)! - ranks.get(b.key)!);
      const before = weightOf(entries);
      return [...weightOf(shuffled)].every(([key, weight]) => before.get(key) === weight);
    }),
    { seed: 20_265, numRuns: 300 },
  );
  t.pass();
});

test('weights stay exact where many trainers make them small', (t) => {
  const entries = Array.from({ length: 3001 }, (_, index) => ({ key: `${index}`, member: `${index}` }));
  t.true(
    computeEqualWeights(entries, { openSharePermille: 0 }).every((weight) => weight === Math.floor(2 ** 30 / 3001)),
  );
});

test('the mean gives equal weights and clips nothing', (t) => {
  const shape = { chunkLength: 16, topK: 4 };
  const decoded = decodeBody(encodeBody(new Float32Array(16), shape), { ...shape, length: 16 });
  if (decoded.outcome !== 'accept') throw new Error(decoded.reason);
  const inputs = ['a', 'b'].map((member) => ({ key: member, member, body: decoded.value }));
  t.is(equalMean.name, 'mean');
  t.deepEqual(equalMean.computeShares(inputs, { openSharePermille: 250 }), [
    { weight: 2 ** 29, clip: clipScale },
    { weight: 2 ** 29, clip: clipScale },
  ]);
});

test('weights and clips are whole numbers within their scale', (t) => {
  t.true([0, 1, 2 ** 30].every(isWeight));
  t.false([-1, 0.5, 2 ** 30 + 1, Number.NaN, Number.POSITIVE_INFINITY].some(isWeight));
  t.true([0, 1, 2 ** 16].every(isClip));
  t.false([-1, 0.5, 2 ** 16 + 1, Number.NaN].some(isClip));
});
