import test from 'ava';
import { createSession } from '../../../src/trainer/create-session.ts';
import { computeDistinctIds } from '../../../src/trainer/distinct-ids.ts';
import {
  chooseEmbeddingGradient,
  distinctEmbedding,
  type EmbeddingGradient,
  embedding,
  oneHotEmbedding,
} from '../../../src/trainer/graph/embedding.ts';
import { linear } from '../../../src/trainer/graph/linear.ts';
import { Tape } from '../../../src/trainer/graph/tape.ts';
import { encodeModel, type Value } from '../../../src/trainer/onnx/encode-model.ts';
import { GraphBuilder } from '../../../src/trainer/onnx/graph-builder.ts';
import { Tensor } from '../../../src/trainer/onnx-runtime.ts';
import { largestGradientError } from '../helpers/gradient-check.ts';
import { createNumbers, relativeDistance } from '../helpers/numbers.ts';

type Inputs = Record<string, Value>;

const tolerance = 1e-6;
const ways: Record<EmbeddingGradient, (tape: Tape, inputs: Inputs) => Value> = {
  scatter: (tape, { table, tokens }) => embedding(tape, table!, tokens!),
  'one-hot': (tape, { table, tokens }) => oneHotEmbedding(tape, table!, tokens!),
  distinct: (tape, { table, tokens, ids, ranks }) => distinctEmbedding(tape, table!, tokens!, ids!, ranks!),
};

/** The table is the output matrix as well, so two gradients meet in it. */
function tied(way: EmbeddingGradient, tape: Tape, inputs: Inputs): Value {
  return linear(tape, ways[way](tape, inputs), inputs.table!);
}

for (const way of Object.keys(ways) as EmbeddingGradient[]) {
  const tokens = Int32Array.of(0, 3, 3, 1, 3, 0);
  const integers = { tokens, ...computeDistinctIds(tokens, 7) };

  test(`the gradient agrees with differences: ${way}`, async (t) => {
    const error = await largestGradientError({ table: [7, 3] }, ways[way], integers);
    t.true(error <= tolerance, `${error}`);
  });

  test(`the gradient of a tied table agrees with differences: ${way}`, async (t) => {
    const error = await largestGradientError({ table: [7, 3] }, (tape, inputs) => tied(way, tape, inputs), integers);
    t.true(error <= tolerance, `${error}`);
  });
}

/** Gradient of a tied table of floats for many tokens, most of which come more than once. */
async function computeGradient(way: EmbeddingGradient, vocabSize: number, rows: number): Promise<Float32Array> {
  const width = 24;
  const graph = new GraphBuilder('float');
  const tape = new Tape(graph);
  const table = graph.input('table', 'float', [vocabSize, width]);
  const names = way === 'distinct' ? ['tokens', 'ids', 'ranks'] : ['tokens'];
  const integers = Object.fromEntries(names.map((name) => [name, graph.input(name, 'int32', [rows])]));
  const logits = tied(way, tape, { table, ...integers });
  const seed = graph.input('seed', 'float', logits.shape);
  const [gradient] = tape.backward(logits, seed, [table]);
  const session = await createSession(encodeModel(graph.finish('check', { gradient: gradient! })), {
    threads: 2,
    device: { kind: 'cpu' },
  });
  const number = createNumbers(5);
  const draw = (length: number): Float32Array => Float32Array.from({ length }, number);
  const tokens = Int32Array.from({ length: rows }, () => Math.floor(((number() + 1) / 2) ** 2 * vocabSize));
  const values: Record<string, Int32Array> = { tokens };
  if (way === 'distinct') Object.assign(values, computeDistinctIds(tokens, vocabSize));
  const results = await session.run({
    table: new Tensor('float32', draw(vocabSize * width), [vocabSize, width]),
    seed: new Tensor('float32', draw(rows * vocabSize), [rows, vocabSize]),
    ...Object.fromEntries(names.map((name) => [name, new Tensor('int32', values[name]!, [rows])])),
  });
  await session.release();
  return results.gradient!.data as Float32Array;
}

test('in floats, all ways give the same gradient to rounding', async (t) => {
  for (const [vocabSize, rows] of [
    [600, 200],
    [200, 200],
  ] as const) {
    const scattered = await computeGradient('scatter', vocabSize, rows);
    t.true(relativeDistance(await computeGradient('one-hot', vocabSize, rows), scattered) < 1e-6);
    t.true(relativeDistance(await computeGradient('distinct', vocabSize, rows), scattered) < 1e-6);
  }
});

test('a CPU scatters, CUDA multiplies over the lesser of rows and vocabulary', (t) => {
  t.is(chooseEmbeddingGradient('cpu', 2048, 256), 'scatter');
  t.is(chooseEmbeddingGradient('cuda', 2048, 256), 'one-hot');
  t.is(chooseEmbeddingGradient('cuda', 256, 256), 'one-hot');
  t.is(chooseEmbeddingGradient('cuda', 1024, 50_257), 'distinct');
});
