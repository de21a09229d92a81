import test from 'ava';
import { causalAttention, computeBlockCount } from '../../../src/trainer/graph/attention.ts';
import { crossEntropy } from '../../../src/trainer/graph/cross-entropy.ts';
import { embedding } from '../../../src/trainer/graph/embedding.ts';
import { linear } from '../../../src/trainer/graph/linear.ts';
import { rmsNorm } from '../../../src/trainer/graph/rms-norm.ts';
import { computeRotaryTable, rotary } from '../../../src/trainer/graph/rotary.ts';
import { swiglu } from '../../../src/trainer/graph/swiglu.ts';
import { largestGradientError } from '../helpers/gradient-check.ts';

const tolerance = 1e-6;

test('the gradient of a linear layer agrees with differences', async (t) => {
  const error = await largestGradientError({ x: [5, 3], w: [4, 3] }, (tape, { x, w }) => linear(tape, x!, w!));
  t.true(error <= tolerance, `${error}`);
});

test('the gradient of a linear layer with a residual agrees with differences', async (t) => {
  const shapes = { x: [5, 3], w: [4, 3], r: [5, 4] };
  const error = await largestGradientError(shapes, (tape, { x, w, r }) => linear(tape, x!, w!, r!));
  t.true(error <= tolerance, `${error}`);
});

test('gradients add up where a value is used more than once', async (t) => {
  const shapes = { x: [4, 4], w: [4, 4] };
  const error = await largestGradientError(shapes, (tape, { x, w }) => {
    const once = linear(tape, x!, w!, x!);
    return swiglu(tape, linear(tape, once, w!), once);
  });
  t.true(error <= tolerance, `${error}`);
});

test('the gradient of RMSNorm agrees with differences', async (t) => {
  const shapes = { x: [5, 6], w: [6] };
  const error = await largestGradientError(shapes, (tape, { x, w }) => rmsNorm(tape, x!, w!, 1e-5));
  t.true(error <= tolerance, `${error}`);
});

test('the gradient of the rotary embedding agrees with differences', async (t) => {
  const table = computeRotaryTable(5, 4, 10_000);
  const error = await largestGradientError({ x: [10, 8] }, (tape, { x }) => rotary(tape, x!, 2, table, 4));
  t.true(error <= tolerance, `${error}`);
});

for (const [heads, kvHeads] of [
  [4, 2],
  [2, 2],
  [3, 1],
] as const) {
  test(`the gradient of causal attention agrees with differences: ${heads} heads over ${kvHeads}`, async (t) => {
    const shape = { batch: 2, tokens: 5, heads, kvHeads, headDim: 4 };
    const shapes = { q: [10, heads * 4], k: [10, kvHeads * 4], v: [10, kvHeads * 4] };
    const error = await largestGradientError(shapes, (tape, { q, k, v }) => causalAttention(tape, q!, k!, v!, shape));
    t.true(error <= tolerance, `${error}`);
  });
}

for (const blocks of [2, 3]) {
  test(`the gradient of causal attention in ${blocks} blocks agrees with differences`, async (t) => {
    const shape = { batch: 2, tokens: 6, heads: 4, kvHeads: 2, headDim: 4 };
    const error = await largestGradientError({ q: [12, 16], k: [12, 8], v: [12, 8] }, (tape, { q, k, v }) =>
      causalAttention(tape, q!, k!, v!, shape, blocks),
    );
    t.true(error <= tolerance, `${error}`);
  });
}

test('queries are cut into blocks of 64 tokens or more, 8 at most', (t) => {
  t.deepEqual([1, 64, 96, 128, 192, 256, 512, 513, 1024].map(computeBlockCount), [1, 1, 1, 2, 3, 4, 8, 3, 8]);
});

test('the gradient of SwiGLU agrees with differences', async (t) => {
  const shapes = { gate: [5, 6], up: [5, 6] };
  const error = await largestGradientError(shapes, (tape, { gate, up }) => swiglu(tape, gate!, up!));
  t.true(error <= tolerance, `${error}`);
});

test('the gradient of an embedding agrees with differences, repeated tokens included', async (t) => {
  const tokens = Int32Array.of(0, 3, 3, 1, 3, 0);
  const build = (tape: Parameters<typeof embedding>[0], inputs: Record<string, Parameters<typeof embedding>[1]>) =>
    embedding(tape, inputs.table!, inputs.tokens!);
  const error = await largestGradientError({ table: [5, 3] }, build, { tokens });
  t.true(error <= tolerance, `${error}`);
});

test('the gradient of the cross-entropy agrees with differences', async (t) => {
  const targets = Int32Array.of(0, 3, 4, 1);
  const build = (tape: Parameters<typeof embedding>[0], inputs: Record<string, Parameters<typeof embedding>[1]>) =>
    crossEntropy(tape, inputs.logits!, inputs.targets!);
  const error = await largestGradientError({ logits: [4, 5] }, build, { targets });
  t.true(error <= tolerance, `${error}`);
});
