import { mkdir, readdir, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { computeModelLayout } from '../../../src/protocol/model.ts';
import {
  findBest,
  findNewest,
  listCheckpoints,
  pruneCheckpoints,
  readTrainingCheckpoint,
  type TrainingCheckpoint,
  writeTrainingCheckpoint,
} from '../../../src/trainer/checkpoint/checkpoint-folder.ts';
import { readCheckpoint } from '../../../src/trainer/checkpoint/read-checkpoint.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { createNumbers } from '../helpers/numbers.ts';
import { readPlainSafetensors } from '../helpers/plain-safetensors.ts';
import { smallModel } from '../helpers/small-model.ts';

const model = { ...smallModel, layers: 1, tiedEmbeddings: false };

function makeState(step: number, validation: number | null = null): TrainingCheckpoint {
  const number = createNumbers(step);
  const { length } = computeModelLayout(model);
  const vector = (): Float32Array => Float32Array.from({ length }, number);
  return {
    model,
    parameters: vector(),
    tokenizer: { kind: 'bytes' },
    moments: { first: vector(), second: vector(), adamStep: step + 1 },
    step,
    seed: 'ab'.repeat(32),
    losses: { training: 2.5, validation },
    settings: { learningRate: 1e-3, data: ['a.txt'] },
  };
}

test('training goes on from exactly what was written', async (t) => {
  const run = await makeTemporaryFolder(t);
  const state = makeState(200, 1.25);
  const folder = await writeTrainingCheckpoint(run, state);
  t.is(folder, join(run, 'checkpoints', 'step-00000200'));
  t.deepEqual(await readTrainingCheckpoint(folder), state);
});

test('a checkpoint is a model folder with two files more', async (t) => {
  const state = makeState(7);
  const folder = await writeTrainingCheckpoint(await makeTemporaryFolder(t), state);
  t.deepEqual((await readCheckpoint(folder)).parameters, state.parameters);
  t.deepEqual(JSON.parse(await readFile(join(folder, 'training-state.json'), 'utf8')), {
    version: 1,
    step: 7,
    adamStep: 8,
    seed: state.seed,
    losses: state.losses,
    settings: state.settings,
  });
  const tensors = await readPlainSafetensors(join(folder, 'optimizer.safetensors'));
  const { tensors: slots } = computeModelLayout(model);
  t.is(tensors.size, 2 * slots.length);
  for (const { name, offset, length } of slots) {
    const cut = (vector: Float32Array): number[] => [...vector.subarray(offset, offset + length)];
    t.deepEqual(tensors.get(`first_moment.${name}`)!.values, cut(state.moments.first), name);
    t.deepEqual(tensors.get(`second_moment.${name}`)!.values, cut(state.moments.second), name);
  }
});

test('checkpoints are listed by their steps; what is half-written is not among them', async (t) => {
  const run = await makeTemporaryFolder(t);
  t.deepEqual(await listCheckpoints(run), []);
  t.is(await findNewest(run), null);
  for (const step of [1000, 200, 123_456_789]) await writeTrainingCheckpoint(run, makeState(step));
  await mkdir(join(run, 'checkpoints', '.step-00002000.partial'));
  await writeFile(join(run, 'checkpoints', 'notes.txt'), '');
  const steps = (await listCheckpoints(run)).map(({ step }) => step);
  t.deepEqual(steps, [200, 1000, 123_456_789]);
  t.is((await findNewest(run))!.step, 123_456_789);
});

test('the best is the lowest validation loss, the earliest of equals', async (t) => {
  const run = await makeTemporaryFolder(t);
  t.is(await findBest(run), null);
  for (const [step, loss] of [
    [1, null],
    [2, 1.5],
    [3, 1.25],
    [4, 1.25],
    [5, 2],
  ] as const) {
    await writeTrainingCheckpoint(run, makeState(step, loss));
  }
  t.is((await findBest(run))!.step, 3);
});

test('pruning deletes what the policy does not name, and leftovers, and nothing else', async (t) => {
  const run = await makeTemporaryFolder(t);
  for (let step = 10; step <= 80; step += 10) {
    await writeTrainingCheckpoint(run, makeState(step, step === 50 ? 1 : 2));
  }
  await mkdir(join(run, 'checkpoints', '.step-00000090.partial'));
  await writeFile(join(run, 'checkpoints', 'notes.txt'), '');
  t.deepEqual(await pruneCheckpoints(run, { last: 2, every: 'doubling' }), [30, 60]);
  const left = ['notes.txt', ...[10, 20, 40, 50, 70, 80].map((step) => `step-000000${step}`)];
  t.deepEqual(await readdir(join(run, 'checkpoints')), left);
  t.deepEqual(await pruneCheckpoints(run, { last: 2, every: 'doubling' }), [], 'once is enough');
});

test('damaged state is refused by file', async (t) => {
  const run = await makeTemporaryFolder(t);
  const folder = await writeTrainingCheckpoint(run, makeState(1));
  const stateFile = join(folder, 'training-state.json');
  const text = await readFile(stateFile, 'utf8');
  const broken: [text: string, said: RegExp][] = [
    ['{', /found .*JSON/],
    ['null', /found version undefined where 1/],
    [text.replace('"version": 1', '"version": 2'), /found version 2 where 1/],
    [text.replace('"adamStep": 2', '"adamStep": -2'), /found step 1, adamStep -2/],
    [text.replace('2.5', '"low"'), /found losses .*"low"/],
    [text.replace('"seed"', '"sid"'), /found seed undefined/],
    [text.replace('"settings"', '"sets"'), /found settings undefined/],
  ];
  for (const [content, message] of broken) {
    await writeFile(stateFile, content);
    await t.throwsAsync(readTrainingCheckpoint(folder), { code: 'training-state-invalid', message });
  }
  await writeFile(stateFile, text);
  const moments = join(folder, 'optimizer.safetensors');
  await truncate(moments, 5000);
  const truncated = { code: 'safetensors-truncated', message: /optimizer\.safetensors/ };
  await t.throwsAsync(readTrainingCheckpoint(folder), truncated);
  await rename(join(folder, 'model.safetensors'), moments);
  await t.throwsAsync(readTrainingCheckpoint(folder), { code: 'weights-missing' });
});

test('moments that are not finite leave no checkpoint', async (t) => {
  const run = await makeTemporaryFolder(t);
  const state = makeState(1);
  state.moments.second[3] = Number.POSITIVE_INFINITY;
  const message = /tensor "second_moment\.model\.embed_tokens\.weight".*at value 3/;
  await t.throwsAsync(writeTrainingCheckpoint(run, state), { code: 'weights-not-finite', message });
  t.deepEqual(await readdir(join(run, 'checkpoints')), []);
});
