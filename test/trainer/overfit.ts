import test from 'ava';
import { computeInitialBase } from '../../src/protocol/initial-base.ts';
import { computeStepScalars } from '../../src/trainer/step-scalars.ts';
import { TrainingSession } from '../../src/trainer/training-session.ts';
import { smallInner, smallModel } from './helpers/small-model.ts';

/** Different first letters: nothing could tell apart two lines that begin alike. */
const lines = [
  'A quick brown fox jumps over one lazy dog.',
  'Pack my box with five dozen liquor jugs and',
  'How vexingly quick daft zebras jump at noon',
  'Sphinx of black quartz, judge this vow now.',
];
const sequenceLength = 40;
const steps = 200;
const inner = { ...smallInner, warmupSteps: 10, decaySteps: steps };

for (const tiedEmbeddings of [true, false]) {
  test(`one batch is learned by heart, ${tiedEmbeddings ? 'tied' : 'untied'}`, async (t) => {
    const model = { ...smallModel, contextLength: sequenceLength, tiedEmbeddings };
    const batch = lines.flatMap((line) => [...Buffer.from(line).subarray(0, sequenceLength + 1)]);
    const parameters = computeInitialBase(model, new Uint8Array(32));
    const zero = (): Float32Array => new Float32Array(parameters.length);
    const shape = { batchSize: lines.length, sequenceLength };
    const session = await TrainingSession.create({ ...shape, model, inner, threads: 1, device: { kind: 'cpu' } });
    const scalars = Array.from({ length: steps }, (_, step) => computeStepScalars(inner, step, step + 1)).flat();
    const { losses } = await session.run(
      { parameters, firstMoments: zero(), secondMoments: zero() },
      Int32Array.from(Array.from({ length: steps }, () => batch).flat()),
      Float32Array.from(scalars),
    );
    await session.release();
    t.log(`${losses[0]!.toFixed(3)} nats at first, ${losses.at(-1)!.toFixed(4)} after ${steps} steps`);
    t.true(losses[0]! > 5);
    t.true(losses.at(-1)! < 0.05);
  });
}
