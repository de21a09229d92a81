import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { computeInitialBase } from '../../src/protocol/initial-base.ts';
import { findNewest, readTrainingCheckpoint } from '../../src/trainer/checkpoint/checkpoint-folder.ts';
import { defaultKeepPolicy } from '../../src/trainer/checkpoint/select-kept.ts';
import { type RunEvent, runTraining, type TrainingRunInit } from '../../src/trainer/training-run.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';
import { smallBatch, smallInner, smallModel } from './helpers/small-model.ts';

function createInit(folder: string, more: Partial<TrainingRunInit> = {}): TrainingRunInit {
  return {
    folder,
    trainer: {
      ...smallBatch,
      model: smallModel,
      tokenizer: { kind: 'bytes' },
      device: { kind: 'cpu' },
      threads: 1,
      inner: smallInner,
      compressor: { chunkLength: 4096, topK: 1, errorFeedback: 0 },
      data: { kind: 'starter', kindIndex: 0 },
      heldOut: { kind: 'starter', kindIndex: 0 },
    },
    readStart: async () => computeInitialBase(smallModel, new Uint8Array(32)),
    seed: '07'.repeat(32),
    steps: 60,
    every: 60,
    keep: defaultKeepPolicy,
    settings: { model: 'small' },
    onEvent: () => undefined,
    signal: new AbortController().signal,
    ...more,
  };
}

async function readNewest(folder: string) {
  const newest = await findNewest(folder);
  return newest === null ? null : readTrainingCheckpoint(newest.folder);
}

test('stopped between measures, a run keeps its last finished steps and goes on to the same bits', async (t) => {
  const folder = await makeTemporaryFolder(t);
  const whole = join(folder, 'whole');
  await runTraining(createInit(whole));

  const cut = join(folder, 'cut');
  const controller = new AbortController();
  const onEvent = (event: RunEvent): void => {
    if (event.event === 'training.progressed' && event.step === 45) controller.abort('SIGINT');
  };
  await t.throwsAsync(runTraining(createInit(cut, { onEvent, signal: controller.signal })), { name: 'AbortError' });
  const stopped = await readNewest(cut);
  t.is(stopped?.step, 40);
  t.deepEqual(stopped?.losses, { training: null, validation: null });

  const events: RunEvent[] = [];
  await runTraining(createInit(cut, { onEvent: (event) => events.push(event) }));
  t.like(events[0], { event: 'run.started', step: 40 });
  const [expected, actual] = [await readNewest(whole), await readNewest(cut)];
  t.is(actual?.step, 60);
  t.deepEqual(actual?.parameters, expected?.parameters);
  t.deepEqual(actual?.moments, expected?.moments);
});

test('after a power cut what was measured beyond the newest checkpoint is measured again', async (t) => {
  const folder = await makeTemporaryFolder(t);
  const init = createInit(folder, { steps: 20, every: 10 });
  const { measures } = await runTraining(init);
  t.deepEqual(
    measures.map(({ step }) => step),
    [0, 10, 20],
  );
  // As a cut leaves it: the last checkpoint is half written, a line is half written, working files are left behind.
  await rm(join(folder, 'checkpoints', 'step-00000020'), { recursive: true });
  await mkdir(join(folder, 'checkpoints', '.step-20.partial'));
  await appendFile(join(folder, 'losses.jsonl'), '{"step":30,"trai');
  await mkdir(join(folder, 'working'));
  const again = await runTraining(init);
  t.deepEqual(
    again.measures.map(({ step, validationLoss }) => [step, validationLoss]),
    measures.map(({ step, validationLoss }) => [step, validationLoss]),
  );
  t.is((await readFile(join(folder, 'losses.jsonl'), 'utf8')).trimEnd().split('\n').length, 3);
  t.deepEqual((await readdir(join(folder, 'checkpoints'))).sort(), ['step-00000010', 'step-00000020']);
});

test('a run of other settings is not gone on with', async (t) => {
  const folder = await makeTemporaryFolder(t);
  await runTraining(createInit(folder, { steps: 5 }));
  const other = createInit(folder, { steps: 10, settings: { model: 'other' } });
  await t.throwsAsync(runTraining(other), { code: 'run-differs', message: /model "other", found one with "small"/ });
});
