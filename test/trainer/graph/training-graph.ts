import test from 'ava';
import { computeModelLayout, type ModelConfig } from '../../../src/protocol/model.ts';
import { createSession } from '../../../src/trainer/create-session.ts';
import { encodeGradientGraph } from '../../../src/trainer/graph/training-graph.ts';
import { LossSession } from '../../../src/trainer/loss-session.ts';
import { Tensor } from '../../../src/trainer/onnx-runtime.ts';
import { tensorViews } from '../../../src/trainer/training-session.ts';
import { compare, doubleTensors } from '../helpers/gradient-check.ts';
import { createNumbers, relativeDistance } from '../helpers/numbers.ts';
import { plainLoss } from '../helpers/plain-decoder.ts';

const model: ModelConfig = {
  vocabSize: 11,
  contextLength: 6,
  dim: 16,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  feedForward: 24,
  ropeTheta: 10_000,
  normEpsilon: 1e-5,
  tiedEmbeddings: true,
};
const batch = { batchSize: 2, sequenceLength: 6 };
const layout = computeModelLayout(model);
const tokens = Int32Array.of(0, 5, 10, 5, 5, 1, 2, 9, 8, 7, 0, 0, 3, 4);
const shapes = Object.fromEntries(layout.tensors.map((slot) => [slot.name, slot.shape]));

function randomParameters(): Float32Array {
  const number = createNumbers(3);
  const parameters = new Float32Array(layout.length);
  for (const { shape, offset, length } of layout.tensors) {
    for (let i = offset; i < offset + length; i++) {
      parameters[i] = shape.length === 1 ? 1 + number() / 4 : number() / 2;
    }
  }
  return parameters;
}

const tokenFeed = { tokens: new Tensor('int32', tokens, [2, 7]) };

async function computeDoubles(): Promise<{ loss: number; gradients: Map<string, Float64Array>; worst: number }> {
  const session = await createSession(encodeGradientGraph(model, batch, 'double'), {
    threads: 1,
    device: { kind: 'cpu' },
    optimization: 'disabled',
  });
  const flat = Float64Array.from(randomParameters());
  const values = Object.fromEntries(layout.tensors.map((s) => [s.name, flat.slice(s.offset, s.offset + s.length)]));
  const feeds = { ...doubleTensors(values, shapes), ...tokenFeed };
  const results = await session.run(feeds);
  const objective = async (): Promise<number> => ((await session.run(feeds, ['loss'])).loss!.data as Float64Array)[0]!;
  const gradients = new Map<string, Float64Array>();
  let worst = 0;
  for (const { name, length } of layout.tensors) {
    const exact = results[`d.${name}`]!.data as Float64Array;
    gradients.set(name, exact);
    const places = Array.from({ length: 16 }, (_, at) => Math.floor((at * length) / 16));
    worst = Math.max(worst, await compare(values[name]!, exact, places, objective));
  }
  await session.release();
  return { loss: (results.loss!.data as Float64Array)[0]!, gradients, worst };
}

test('the gradient of the whole model agrees with differences, grouped queries and tied embeddings included', async (t) => {
  const { worst } = await computeDoubles();
  t.true(worst <= 1e-6, `${worst}`);
});

test('the loss in doubles is that of plain loops', async (t) => {
  const { loss } = await computeDoubles();
  const plain = plainLoss(model, randomParameters(), tokens, 6);
  t.true(Math.abs(loss - plain) / plain < 1e-6, `${loss} ${plain}`);
});

test('the float graph, with fused kernels, agrees with the doubles', async (t) => {
  const { loss, gradients } = await computeDoubles();
  const session = await createSession(encodeGradientGraph(model, batch, 'float'), {
    threads: 1,
    device: { kind: 'cpu' },
  });
  const results = await session.run({ ...tensorViews(layout, randomParameters()), ...tokenFeed });
  t.true(Math.abs((results.loss!.data as Float32Array)[0]! - loss) / loss < 1e-6);
  for (const [name, exact] of gradients) {
    const distance = relativeDistance(results[`d.${name}`]!.data as Float32Array, exact);
    t.true(distance < 5e-6, `${name} ${distance}`);
  }
  await session.release();
});

test('the loss graph gives the mean of each sequence and drops the rows it filled up', async (t) => {
  const session = await LossSession.create(
    model,
    { batchSize: 3, sequenceLength: 6 },
    { threads: 1, device: { kind: 'cpu' } },
  );
  const losses = await session.run(randomParameters(), tokens);
  t.is(losses.length, 2);
  for (const [at, loss] of losses.entries()) {
    const plain = plainLoss(model, randomParameters(), tokens.slice(at * 7, at * 7 + 7), 6);
    t.true(Math.abs(loss - plain) / plain < 1e-6, `${loss} ${plain}`);
  }
  await session.release();
});
