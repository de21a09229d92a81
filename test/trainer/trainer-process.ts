import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { computeInitialBase } from '../../src/protocol/initial-base.ts';
import type { TrainerAnswer, TrainerCall } from '../../src/trainer/trainer-types.ts';
import { writeVector } from '../../src/trainer/vector-file.ts';
import { smallBatch, smallInner, smallModel } from './helpers/small-model.ts';

const entry = fileURLToPath(new URL('../../src/trainer/trainer-process.ts', import.meta.url));

test('ends by itself when the peer is gone, in the middle of a round', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tapestry-process-'));
  const basePath = join(folder, 'base');
  await writeVector(basePath, computeInitialBase(smallModel, new Uint8Array(32)));
  const child = fork(entry, [], { serialization: 'advanced', execArgv: [] });
  const send = (call: TrainerCall): boolean => child.send(call);
  send({
    type: 'init',
    init: {
      ...smallBatch,
      model: smallModel,
      tokenizer: { kind: 'bytes' },
      device: { kind: 'cpu' },
      threads: 1,
      inner: smallInner,
      compressor: { chunkLength: 4096, topK: 256, errorFeedback: 0.95 },
      data: { kind: 'starter', kindIndex: 0 },
      heldOut: { kind: 'starter', kindIndex: 0 },
    },
  });
  send({
    type: 'train',
    id: 1,
    request: {
      round: 0,
      innerSteps: 1_000_000,
      firstStep: 0,
      basePath,
      momentsPath: null,
      errorFeedbackPath: null,
      includedBodyPath: null,
      outputDirectory: folder,
      dataSeed: new Uint8Array(32),
    },
  });
  child.on('message', (answer: TrainerAnswer) => {
    if (answer.type === 'progress' && child.connected) {
      child.disconnect();
    }
  });
  const [code, signal] = await once(child, 'exit');
  t.deepEqual([code, signal], [0, null]);
  await rm(folder, { recursive: true });
});

test('a call before init is answered with an error that is no TapestryError', async (t) => {
  const child = fork(entry, [], { serialization: 'advanced', execArgv: [] });
  child.send({ type: 'evaluate', id: 4, request: { parametersPath: 'x' } } satisfies TrainerCall);
  const [answer] = (await once(child, 'message')) as [TrainerAnswer];
  t.is(answer.type, 'failed');
  t.is(answer.id, 4);
  t.true(answer.type === 'failed' && answer.error.code === null && answer.error.message.includes('init'));
  child.disconnect();
  await once(child, 'exit');
});
