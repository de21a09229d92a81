import test from 'ava';
import { computeInitialBase } from '../../src/protocol/initial-base.ts';
import { computeModelLayout } from '../../src/protocol/model.ts';
import { presets } from '../../src/protocol/presets.ts';
import { createSession } from '../../src/trainer/create-session.ts';
import { encodeGradientGraph, encodeTrainingGraph } from '../../src/trainer/graph/training-graph.ts';
import { Tensor } from '../../src/trainer/onnx-runtime.ts';
import { computeLearningRate } from '../../src/trainer/step-scalars.ts';
import { TrainingSession, tensorViews } from '../../src/trainer/training-session.ts';
import { createNumbers, relativeDistance } from './helpers/numbers.ts';
import { createScalars, createState, smallBatch, smallInner, smallModel } from './helpers/small-model.ts';

const init = { ...smallBatch, model: smallModel, inner: smallInner, threads: 1, device: { kind: 'cpu' } } as const;
const wholeBatch = { loop: true, microBatches: 1, attentionBlocks: 1, embeddingGradient: 'scatter' } as const;
const sequenceSize = smallBatch.batchSize * (smallBatch.sequenceLength + 1);

function randomTokens(steps: number): Int32Array {
  const number = createNumbers(11);
  return Int32Array.from({ length: steps * sequenceSize }, () => Math.floor((number() + 1) * 40));
}

test('H steps in a Loop give the bits of H runs of one step, in a Loop and without', async (t) => {
  const session = await TrainingSession.create({ ...init, plan: { loop: true } });
  const tokens = randomTokens(6);
  const scalars = createScalars(0, 6);
  const together = createState();
  const report = await session.run(together, tokens, scalars);
  const apart = createState();
  const losses: number[] = [];
  for (let step = 0; step < 6; step++) {
    const part = tokens.slice(step * sequenceSize, (step + 1) * sequenceSize);
    losses.push(...(await session.run(apart, part, scalars.slice(step * 3, step * 3 + 3))).losses);
  }
  t.deepEqual(apart, together);
  t.deepEqual(losses, [...report.losses]);
  t.notDeepEqual(together.parameters, createState().parameters);
  await session.release();

  const single = await TrainingSession.create({ ...init, plan: { loop: false } });
  const unlooped = createState();
  const unloopedReport = await single.run(unlooped, tokens, scalars);
  t.deepEqual(unlooped, together);
  t.deepEqual(unloopedReport, report);
  await single.release();
});

test('one thread and two give the same bits', async (t) => {
  // Large enough for the runtime to share out its products.
  const { model, batchSize, sequenceLength } = presets.nano;
  const number = createNumbers(12);
  const tokens = Int32Array.from({ length: 3 * batchSize * (sequenceLength + 1) }, () =>
    Math.floor((number() + 1) * 99),
  );
  const states = [];
  for (const threads of [1, 2]) {
    const session = await TrainingSession.create({
      model,
      batchSize,
      sequenceLength,
      inner: smallInner,
      threads,
      device: { kind: 'cpu' },
    });
    const parameters = computeInitialBase(model, new Uint8Array(32));
    const zero = (): Float32Array => new Float32Array(parameters.length);
    const state = { parameters, firstMoments: zero(), secondMoments: zero() };
    await session.run(state, tokens, createScalars(0, 3));
    await session.release();
    states.push(state);
  }
  t.deepEqual(states[0], states[1]);
});

test('writing the results over the inputs changes no bit', async (t) => {
  const layout = computeModelLayout(smallModel);
  const tokens = randomTokens(3);
  const scalars = createScalars(0, 3);
  const inPlace = createState();
  const session = await TrainingSession.create(init);
  await session.run(inPlace, tokens, scalars);
  await session.release();

  const plain = await createSession(encodeTrainingGraph(smallModel, smallBatch, smallInner, wholeBatch), {
    threads: 1,
    device: { kind: 'cpu' },
  });
  const state = createState();
  const results = await plain.run({
    ...tensorViews(layout, state.parameters),
    ...tensorViews(layout, state.firstMoments, 'm.'),
    ...tensorViews(layout, state.secondMoments, 'v.'),
    tokens: new Tensor('int32', tokens, [3, 1, smallBatch.batchSize, smallBatch.sequenceLength + 1]),
    scalars: new Tensor('float32', scalars, [3, 3]),
    steps: new Tensor('int64', BigInt64Array.of(3n), []),
  });
  for (const { name, offset, length } of layout.tensors) {
    t.deepEqual(results[`new.${name}`]!.data, inPlace.parameters.slice(offset, offset + length));
    t.deepEqual(results[`new.v.${name}`]!.data, inPlace.secondMoments.slice(offset, offset + length));
  }
  await plain.release();
});

for (const microBatches of [2, 4]) {
  test(`${microBatches} micro-batches change the steps by rounding alone`, async (t) => {
    const tokens = randomTokens(3);
    const start = createState().parameters;
    const results = [];
    for (const count of [1, microBatches]) {
      const session = await TrainingSession.create({ ...init, plan: { microBatches: count } });
      const state = createState();
      const report = await session.run(state, tokens, createScalars(0, 3));
      await session.release();
      results.push({ update: state.parameters.map((value, i) => value - start[i]!), report });
    }
    const [whole, cut] = results as [(typeof results)[0], (typeof results)[0]];
    t.true(relativeDistance(cut.update, whole.update) < 2e-5);
    t.true(relativeDistance(cut.report.losses, whole.report.losses) < 1e-6);
    t.true(relativeDistance(cut.report.gradientNorms, whole.report.gradientNorms) < 1e-6);
  });
}

test('the update is that of bias-corrected AdamW with clipping, and norms do not decay', async (t) => {
  const layout = computeModelLayout(smallModel);
  const steps = 3;
  const tokens = randomTokens(steps);
  const state = createState();
  const session = await TrainingSession.create(init);
  const report = await session.run(state, tokens, createScalars(0, steps));
  await session.release();

  const gradient = await createSession(encodeGradientGraph(smallModel, smallBatch, 'float'), {
    threads: 1,
    device: { kind: 'cpu' },
  });
  const start = createState().parameters;
  const theta = Float64Array.from(start);
  const m = new Float64Array(theta.length);
  const v = new Float64Array(theta.length);
  for (let step = 0; step < steps; step++) {
    const part = tokens.slice(step * sequenceSize, (step + 1) * sequenceSize);
    const results = await gradient.run({
      ...tensorViews(layout, Float32Array.from(theta)),
      tokens: new Tensor('int32', part, [smallBatch.batchSize, smallBatch.sequenceLength + 1]),
    });
    const flat = layout.tensors.flatMap(({ name }) => [...(results[`d.${name}`]!.data as Float32Array)]);
    const norm = Math.hypot(...flat);
    t.true(Math.abs(report.gradientNorms[step]! / norm - 1) < 1e-5);
    const clip = Math.min(1, 1 / (norm + 1e-6));
    const rate = computeLearningRate(smallInner, step);
    for (const { shape, offset, length } of layout.tensors) {
      for (let i = offset; i < offset + length; i++) {
        const g = flat[i]! * clip;
        m[i] = 0.9 * m[i]! + 0.1 * g;
        v[i] = 0.95 * v[i]! + 0.05 * g * g;
        const direction = m[i]! / (1 - 0.9 ** (step + 1)) / (Math.sqrt(v[i]! / (1 - 0.95 ** (step + 1))) + 1e-8);
        theta[i] = theta[i]! * (shape.length > 1 ? 1 - rate * 0.1 : 1) - rate * direction;
      }
    }
  }
  await gradient.release();
  const distance = relativeDistance(
    state.parameters.map((value, i) => value - start[i]!),
    theta.map((value, i) => value - start[i]!),
  );
  t.true(distance < 1e-4, `${distance}`);
});

test('one batch is learned by heart', async (t) => {
  const session = await TrainingSession.create(init);
  const state = createState();
  const batch = randomTokens(1);
  const tokens = new Int32Array(20 * sequenceSize);
  for (let step = 0; step < 20; step++) {
    tokens.set(batch, step * sequenceSize);
  }
  let last = Number.NaN;
  for (let run = 0; run < 6; run++) {
    const { losses } = await session.run(state, tokens, createScalars(run * 20, 20));
    t.true(run > 0 || Math.abs(losses[0]! - Math.log(256)) < 0.1);
    last = losses[19]!;
  }
  t.true(last < 0.1, `${last}`);
  await session.release();
});
