import test from 'ava';
import type { DecodedBody } from '../../src/protocol/compressor/index.ts';
import { decodeBody, encodeBody } from '../../src/protocol/compressor/index.ts';
import type { OuterContribution } from '../../src/protocol/outer-step.ts';
import { computeAggregate, computeNextBase, createOuterStep, createSgd } from '../../src/protocol/outer-step.ts';
import { expandBody } from '../helpers/expand-body.ts';
import { generateValues } from '../helpers/vectors/data.ts';

const shape = { chunkLength: 64, topK: 16 };
const one = 2 ** 16;

function compress(values: Float32Array): DecodedBody {
  const decoded = decodeBody(encodeBody(values, shape), { ...shape, length: values.length });
  if (decoded.outcome !== 'accept') throw new Error(decoded.reason);
  return decoded.value;
}

function contribute(seed: number, length: number, weight: number, clip = one): OuterContribution {
  return { body: compress(generateValues(seed, length)), weight, clip };
}

function computeOrThrow(...args: Parameters<typeof computeNextBase>): Float32Array {
  const next = computeNextBase(...args);
  if (next.outcome !== 'accept') throw new Error(next.reason);
  return next.value;
}

/** A finite float as an exact fraction of 2^1074. */
function toFixed(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | 0x10_0000_0000_0000n) << (exponent - 1n);
  return bits >> 63n ? -magnitude : magnitude;
}

test('moves the base against the update', (t) => {
  const update = new Float32Array(8);
  update.set([2, -2], 3);
  const body = compress(update);
  const base = new Float32Array(8).fill(1);
  const next = computeOrThrow(base, [{ body, weight: 2 ** 30, clip: one }], { optimizer: 'sgd', learningRate: 0.5 });
  t.deepEqual(next, Float32Array.of(1, 1, 1, 0, 2, 1, 1, 1));
  t.deepEqual(base, new Float32Array(8).fill(1));
});

test('weight and clip scale a contribution', (t) => {
  const body = compress(new Float32Array(4).fill(8));
  const contributions = [{ body, weight: 2 ** 28, clip: 2 ** 15 }];
  t.deepEqual([...computeAggregate(contributions, 0, 4)], [1, 1, 1, 1]);
});

test('a coordinate that one of many sends counts by its weight alone', (t) => {
  const lone = new Float32Array(64);
  lone[5] = 4;
  const contributions = [
    { body: compress(lone), weight: 2 ** 28, clip: one },
    ...[0, 1, 2].map(() => ({ body: compress(new Float32Array(64)), weight: 2 ** 28, clip: one })),
  ];
  t.is(computeAggregate(contributions, 0, 64)[5], 1);
});

test('nobody leaves the base as it is, to the bit', (t) => {
  const base = Float32Array.of(1, 2 ** -149, -3, 0);
  t.deepEqual(computeOrThrow(base, [], { optimizer: 'sgd', learningRate: 1 }), base);
});

test('agrees with a plain sum over whole vectors, bit for bit', (t) => {
  const length = 1000;
  const base = generateValues(40, length);
  const third = Math.floor(2 ** 30 / 3);
  const contributions = [
    contribute(41, length, third),
    contribute(42, length, third, 30_001),
    contribute(43, length, third - 1),
  ];
  const updates = contributions.map(({ body }) => expandBody(body));
  const expected = base.map((value, index) => {
    let aggregate = 0;
    contributions.forEach(({ weight, clip }, peer) => {
      aggregate += ((weight * clip) / 2 ** 46) * updates[peer]![index]!;
    });
    return Math.fround(value - 0.7 * aggregate);
  });
  t.deepEqual(computeOrThrow(base, contributions, { optimizer: 'sgd', learningRate: 0.7 }), expected);
});

test('the aggregate is within float64 rounding of the exact sum', (t) => {
  const length = 320;
  const contributions = [1, 2, 3, 4, 5].map((seed) => contribute(seed, length, 2 ** 27 + seed, 65_000 + seed));
  const aggregate = computeAggregate(contributions, 0, length);
  const updates = contributions.map(({ body }) => expandBody(body));
  for (let index = 0; index < length; index++) {
    let exact = 0n;
    let absolute = 0n;
    contributions.forEach(({ weight, clip }, peer) => {
      const term = toFixed(updates[peer]![index]!) * BigInt(weight * clip);
      exact += term;
      absolute += term < 0n ? -term : term;
    });
    const error = toFixed(aggregate[index]!) * 2n ** 46n - exact;
    if ((error < 0n ? -error : error) * 2n ** 49n > absolute) t.fail(`index ${index}`);
  }
  t.pass();
});

test('the order of the contributions is part of the result', (t) => {
  const big = { body: compress(new Float32Array(1).fill(2 ** 60)), weight: 2 ** 30, clip: one };
  const minus = { body: compress(new Float32Array(1).fill(-(2 ** 60))), weight: 2 ** 30, clip: one };
  const tiny = { body: compress(new Float32Array(1).fill(1)), weight: 2 ** 30, clip: one };
  t.is(computeAggregate([big, minus, tiny], 0, 1)[0], 1);
  t.is(computeAggregate([big, tiny, minus], 0, 1)[0], 0);
});

test('the pieces in which a step runs change nothing', (t) => {
  const base = generateValues(50, 777);
  const contributions = [contribute(51, 777, 2 ** 29), contribute(52, 777, 2 ** 29)];
  const config = { optimizer: 'sgd', learningRate: 1 } as const;
  const whole = computeOrThrow(base, contributions, config);
  for (const piece of [1, 63, 64, 100]) {
    const step = createOuterStep(base, contributions, config);
    for (let to = step.length; to > 0; to -= piece) step.run(Math.max(0, to - piece), to);
    t.deepEqual(step.next, whole);
  }
});

test('a step over more than one range is the same as in small pieces', (t) => {
  const length = 70_000;
  const base = generateValues(53, length);
  const contributions = [contribute(54, length, 2 ** 30)];
  const config = { optimizer: 'sgd', learningRate: 1 } as const;
  const step = createOuterStep(base, contributions, config);
  for (let from = 0; from < length; from += 9999) step.run(from, Math.min(from + 9999, length));
  t.deepEqual(computeOrThrow(base, contributions, config), step.next);
});

test('refuses a result that is not a finite float32 and says where', (t) => {
  const base = new Float32Array(8);
  base[6] = -3.4028234663852886e38;
  const update = new Float32Array(8);
  update[6] = 3e38;
  const contributions = [{ body: compress(update), weight: 2 ** 30, clip: one }];
  t.like(computeNextBase(base, contributions, { optimizer: 'sgd', learningRate: 1 }), {
    outcome: 'reject',
    reason: 'non-finite',
    facts: { index: 6 },
  });
});

for (const [weight, clip] of [
  [2 ** 30 + 1, one],
  [0.5, one],
  [Number.NaN, one],
  [1, one + 1],
  [1, -1],
] as const) {
  test(`a weight of ${weight} with a clip of ${clip} is a bug of the caller`, (t) => {
    t.throws(() => computeAggregate([{ body: compress(new Float32Array(4)), weight, clip }], 0, 4));
  });
}

test('a body of another length is a bug of the caller', (t) => {
  const contributions = [{ body: compress(new Float32Array(4)), weight: 1, clip: 1 }];
  t.throws(() => createOuterStep(new Float32Array(5), contributions, { optimizer: 'sgd', learningRate: 1 }));
});

test('a learning rate that is negative or not finite is a bug of the caller', (t) => {
  t.throws(() => createSgd(-1));
  t.throws(() => createSgd(Number.NaN));
});
