/** The training graph that a GPU is given, on the CPU: whole steps agree with those of the graph that a CPU is given. */
import test from 'ava';
import { computeModelLayout, type ModelConfig } from '../../../src/protocol/model.ts';
import { createSession } from '../../../src/trainer/create-session.ts';
import { computeDistinctInputs } from '../../../src/trainer/distinct-ids.ts';
import { encodeTrainingGraph } from '../../../src/trainer/graph/training-graph.ts';
import { Tensor } from '../../../src/trainer/onnx-runtime.ts';
import type { TrainingPlan } from '../../../src/trainer/training-plan.ts';
import { tensorViews } from '../../../src/trainer/training-session.ts';
import { createNumbers, relativeDistance } from '../helpers/numbers.ts';
import { createScalars, smallInner, smallModel } from '../helpers/small-model.ts';

const steps = 4;
const batch = { batchSize: 4, sequenceLength: 8 };

/** Change of the parameters in a few steps from random ones. */
async function computeUpdate(model: ModelConfig, plan: TrainingPlan): Promise<Float32Array> {
  const layout = computeModelLayout(model);
  const number = createNumbers(21);
  const parameters = Float32Array.from({ length: layout.length }, () => number() / 8);
  const tokens = Int32Array.from({ length: steps * batch.batchSize * (batch.sequenceLength + 1) }, () =>
    Math.floor(((number() + 1) / 2) ** 3 * model.vocabSize),
  );
  const part = { ...batch, batchSize: batch.batchSize / plan.microBatches };
  const zeros = new Float32Array(layout.length);
  const feeds: Record<string, Tensor> = {
    ...tensorViews(layout, parameters),
    ...tensorViews(layout, zeros, 'm.'),
    ...tensorViews(layout, zeros, 'v.'),
    tokens: new Tensor('int32', tokens, [steps, plan.microBatches, part.batchSize, batch.sequenceLength + 1]),
    scalars: new Tensor('float32', createScalars(0, steps), [steps, 3]),
    steps: new Tensor('int64', BigInt64Array.of(BigInt(steps)), []),
  };
  if (plan.embeddingGradient === 'distinct') {
    const shape = [steps, plan.microBatches, part.batchSize * batch.sequenceLength];
    const { ids, ranks } = computeDistinctInputs(tokens, part, model.vocabSize);
    feeds.ids = new Tensor('int32', ids, shape);
    feeds.ranks = new Tensor('int32', ranks, shape);
  }
  const graph = encodeTrainingGraph(model, batch, smallInner, plan);
  const session = await createSession(graph, { threads: 1, device: { kind: 'cpu' } });
  const results = await session.run(feeds);
  await session.release();
  const update = new Float32Array(layout.length);
  for (const { name, offset } of layout.tensors) update.set(results[`new.${name}`]!.data as Float32Array, offset);
  return update.map((value, at) => value - parameters[at]!);
}

for (const tiedEmbeddings of [true, false]) {
  for (const microBatches of [1, 2]) {
    const title = `${tiedEmbeddings ? 'tied' : 'untied'} embeddings, ${microBatches} micro-batches`;

    test(`steps with every embedding gradient agree: ${title}`, async (t) => {
      const model = { ...smallModel, tiedEmbeddings, vocabSize: 40 };
      const scattered = await computeUpdate(model, {
        loop: true,
        microBatches,
        attentionBlocks: 1,
        embeddingGradient: 'scatter',
      });
      for (const embeddingGradient of ['one-hot', 'distinct'] as const) {
        const update = await computeUpdate(model, { loop: true, microBatches, attentionBlocks: 1, embeddingGradient });
        const distance = relativeDistance(update, scattered);
        t.true(distance < 1e-4, `${embeddingGradient} ${distance}`);
      }
    });
  }
}
