import test from 'ava';
import { createSampler, type SamplerSettings } from '../../../src/trainer/generate/sampler.ts';
import { createRandom } from '../../../src/trainer/generate/seeded-random.ts';

const plain: SamplerSettings = { temperature: 1, topK: 0, topP: 1 };

/** How often each token is drawn of `count` times. */
function countDraws(logits: number[], settings: Partial<SamplerSettings>, count = 20_000): number[] {
  const sample = createSampler({ ...plain, ...settings }, createRandom(1));
  const row = Float32Array.from(logits);
  const counts = logits.map(() => 0);
  for (let i = 0; i < count; i++) {
    counts[sample(row)]! += 1;
  }
  return counts;
}

/** Pearson's statistic against probabilities; those of 0 must not be drawn. */
function chiSquare(counts: number[], probabilities: number[]): number {
  const total = counts.reduce((a, b) => a + b, 0);
  return counts.reduce((sum, count, id) => {
    const expected = total * probabilities[id]!;
    if (expected === 0) return count === 0 ? sum : Number.POSITIVE_INFINITY;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

const never = (): number => {
  throw new Error('greedy sampling draws nothing');
};

// Logarithms of probabilities, so that the softmax gives them back.
const probabilities = [0.1, 0.4, 0.05, 0.25, 0.2];
const logits = probabilities.map((p) => Math.log(p) + 3);

test('temperature 0 takes the largest logit, the lowest id of equal ones, and no random number', (t) => {
  const greedy = createSampler({ ...plain, temperature: 0 }, never);
  t.is(greedy(Float32Array.of(1, 3, 3, 2)), 1);
  t.is(greedy(Float32Array.of(-5, -7, -5)), 0);
  t.is(greedy(Float32Array.of(Number.NEGATIVE_INFINITY, -1e30, Number.NEGATIVE_INFINITY)), 1);
});

// 18.47 is the 0.1 % point of chi-square with four degrees of freedom; with a fixed seed this passes or fails for ever.
test('tokens come as often as the softmax says', (t) => {
  t.true(chiSquare(countDraws(logits, {}), probabilities) < 18.47);
});

test('the temperature divides the logits', (t) => {
  const squared = probabilities.map((p) => p ** 2);
  const total = squared.reduce((a, b) => a + b, 0);
  const expected = squared.map((p) => p / total);
  t.true(chiSquare(countDraws(logits, { temperature: 0.5 }), expected) < 18.47);
  t.true(chiSquare(countDraws(logits, { temperature: 1 }), expected) > 100);
});

test('top-k leaves the k most probable', (t) => {
  t.true(chiSquare(countDraws(logits, { topK: 3 }), [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85]) < 18.47);
  t.deepEqual(countDraws(logits, { topK: 1 }, 100), [0, 100, 0, 0, 0]);
  t.true(chiSquare(countDraws(logits, { topK: 9 }), probabilities) < 18.47);
});

test('top-p leaves the fewest that come to p, and always one', (t) => {
  // 0.4 + 0.25 = 0.65 is not enough for 0.7, and 0.2 more is.
  t.true(chiSquare(countDraws(logits, { topP: 0.7 }), [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85]) < 18.47);
  t.deepEqual(countDraws(logits, { topP: 0.39 }, 100), [0, 100, 0, 0, 0]);
  t.deepEqual(countDraws(logits, { topP: 1e-300 }, 100), [0, 100, 0, 0, 0]);
});

test('top-p counts shares of what top-k left', (t) => {
  // Of 0.4, 0.25 and 0.2 the first two are 76 %.
  t.true(chiSquare(countDraws(logits, { topK: 3, topP: 0.76 }), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]) < 18.47);
});

test('of equals at the border the lowest ids stay', (t) => {
  t.true(chiSquare(countDraws([0, 5, 0, 5, 5], { topK: 2 }), [0, 0.5, 0, 0.5, 0]) < 18.47);
  t.true(chiSquare(countDraws([2, 2, 2, 2], { topP: 0.5 }), [0.5, 0.5, 0, 0]) < 18.47);
});

test('large and infinite logits and extreme temperatures do no harm', (t) => {
  t.deepEqual(countDraws([3e38, -3e38, 3e38], {}, 1000)[1], 0);
  t.deepEqual(countDraws([1, 2, Number.NEGATIVE_INFINITY], { temperature: 5e-324 }, 50), [0, 50, 0]);
  t.true(chiSquare(countDraws([-900, 900], { temperature: 1e300 }), [0.5, 0.5]) < 10.83);
  t.is(countDraws([0, 0, Number.NEGATIVE_INFINITY], { temperature: 1e300, topP: 0.999999999999 }, 1000)[2], 0);
});

test('the last possible random number gives a token that can be drawn', (t) => {
  const sample = createSampler(plain, () => 1 - 2 ** -53);
  t.is(sample(Float32Array.of(0, 1, 0, Number.NEGATIVE_INFINITY)), 2);
  const first = createSampler(plain, () => 0);
  t.is(first(Float32Array.of(Number.NEGATIVE_INFINITY, 1, 0)), 1);
});

test('logits without probabilities are refused', (t) => {
  const sample = createSampler(plain, createRandom(1));
  for (const row of [[1, Number.NaN], [Number.POSITIVE_INFINITY, 0], [Number.NEGATIVE_INFINITY], []]) {
    t.throws(() => sample(Float32Array.from(row)), { code: 'generate-logits' }, `${row}`);
  }
});

test('settings out of range are refused by name', (t) => {
  const wrong: Partial<SamplerSettings>[] = [
    { temperature: -1 },
    { temperature: Number.NaN },
    { temperature: Number.POSITIVE_INFINITY },
    { topK: -1 },
    { topK: 1.5 },
    { topP: 0 },
    { topP: 1.01 },
    { topP: Number.NaN },
  ];
  for (const settings of wrong) {
    const [name] = Object.keys(settings);
    const error = t.throws(() => createSampler({ ...plain, ...settings }, never), { code: 'generate-setting' });
    t.true(error.message.startsWith(`${name}: expected `), error.message);
  }
});
