import test from 'ava';
import { presets } from '../../src/protocol/presets.ts';
import { computeTrainingPlan, planTraining, requireMemory } from '../../src/trainer/training-plan.ts';

const cpu = { kind: 'cpu' } as const;
const gpu = { kind: 'cuda', index: 0 } as const;
const plenty = 64 * 2 ** 30;

test('on a CPU there are micro-batches where activations would be out of proportion to the parameters', (t) => {
  const plan = (name: keyof typeof presets) => computeTrainingPlan(presets[name].model, presets[name], cpu);
  t.deepEqual(plan('micro'), { loop: true, microBatches: 1, attentionBlocks: 2, embeddingGradient: 'scatter' });
  t.deepEqual(plan('tiny'), { loop: false, microBatches: 2, attentionBlocks: 4, embeddingGradient: 'scatter' });
  t.deepEqual(plan('small'), { loop: false, microBatches: 2, attentionBlocks: 8, embeddingGradient: 'scatter' });
});

test('on a GPU a batch is computed whole, in a Loop, and no gradient is scattered', (t) => {
  const { model } = presets.small;
  const plan = computeTrainingPlan(model, presets.small, gpu);
  t.deepEqual(plan, { loop: true, microBatches: 1, attentionBlocks: 8, embeddingGradient: 'one-hot' });
  const large = { ...model, vocabSize: 50_257 };
  t.is(computeTrainingPlan(large, presets.small, gpu).embeddingGradient, 'distinct');
});

test('a micro-batch divides the batch, whatever its size', (t) => {
  const { model } = presets.tiny;
  const count = (batchSize: number) => computeTrainingPlan(model, { batchSize, sequenceLength: 256 }, cpu).microBatches;
  t.deepEqual([1, 2, 4, 5, 7, 12, 16, 100].map(count), [1, 1, 1, 5, 7, 3, 4, 25]);
});

test('where memory lacks micro-batches get smaller, down to one sequence', (t) => {
  const { model } = presets.tiny;
  const batch = { batchSize: 32, sequenceLength: 256 };
  const choose = (bytes: number) => planTraining(model, batch, gpu, 5, bytes);
  const whole = choose(plenty);
  t.is(whole.plan.microBatches, 1);
  const cut = choose(whole.estimatedBytes);
  t.true(cut.plan.microBatches > 1);
  t.true(cut.estimatedBytes < whole.estimatedBytes);
  t.is(choose(1).plan.microBatches, 32);
});

test('the estimate is that of spec/trainer.md#memory', (t) => {
  const { estimatedBytes } = planTraining(presets.tiny.model, presets.tiny, cpu, 5, plenty);
  const layer = 9 * 384 + 4 * 64 * 2 + 5 * 1024 + (6 * 256 * 5) / 8;
  const activations = ((8 * 256) / 2) * (6 * layer + 4 * (1024 + 256 + 384));
  const vectors = (3 + 3 + 1) * 9_540_480;
  t.is(Math.round(estimatedBytes), Math.round(250 * 2 ** 20 + 4 * (1.35 * vectors + activations)));
});

test('a run is one step where the state is held once, else as many as asked for', (t) => {
  t.is(planTraining(presets.micro.model, presets.micro, cpu, 5, plenty).stepsPerRun, 5);
  t.is(planTraining(presets.tiny.model, presets.tiny, cpu, 5, plenty).stepsPerRun, 1);
  t.is(planTraining(presets.tiny.model, presets.tiny, gpu, 5, plenty).stepsPerRun, 5);
});

test('what does not fit is refused with both numbers and a way out', (t) => {
  const planned = planTraining(presets.small.model, presets.small, cpu, 5, plenty);
  t.notThrows(() => requireMemory(planned, presets.small.model, planned.estimatedBytes));
  const error = t.throws(() => requireMemory(planned, presets.small.model, 2 ** 30), { code: 'memory-too-small' });
  t.regex(error!.message, /^Training 124\.1 M parameters takes about \d\.\d GiB of memory; 1\.0 GiB are free\.$/);
});
