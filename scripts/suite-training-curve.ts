/**
 * Trains 0.8 million parameters on one text for 2000 steps of 12 × 64 bytes and writes the curve: every evaluation to
 * `benchmarks/results/training-curve.jsonl`, the picture to `training-curve.svg` beside it. The last 5 % of the lines
 * are never trained on; the validation loss is that of all of them, in windows of 64 bytes. About two
 * minutes on two idle cores.
 *
 *     npm run suite:training-curve -- --data FILE [--seed 1] [--learning-rate 0.0015] [--threads 2]
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { basename } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawLineChart } from '../src/cli/ui/line-chart.ts';
import { computeHash } from '../src/protocol/hash.ts';
import { computeInitialBase } from '../src/protocol/initial-base.ts';
import type { ModelConfig } from '../src/protocol/model.ts';
import { computeBatch } from '../src/trainer/data/compute-batch.ts';
import { createMemoryStream } from '../src/trainer/data/token-stream.ts';
import { LossSession } from '../src/trainer/loss-session.ts';
import { computeStepScalars } from '../src/trainer/step-scalars.ts';
import { TrainingSession } from '../src/trainer/training-session.ts';
import { writeWhole } from '../src/trainer/vector-file.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    seed: { type: 'string', default: '1' },
    'learning-rate': { type: 'string', default: '0.0015' },
    threads: { type: 'string', default: '2' },
  },
});
if (values.data === undefined) {
  throw new Error('Which text? npm run suite:training-curve -- --data FILE');
}

const steps = 2000;
const stepsPerEvaluation = 100;
const shape = { batchSize: 12, sequenceLength: 64 };
const evaluationShape = { batchSize: 48, sequenceLength: 64 };
const model: ModelConfig = {
  vocabSize: 256,
  contextLength: 64,
  dim: 128,
  layers: 4,
  heads: 4,
  kvHeads: 2,
  feedForward: 384,
  ropeTheta: 10_000,
  normEpsilon: 1e-5,
  tiedEmbeddings: true,
};
const inner = {
  learningRate: Number(values['learning-rate']),
  warmupSteps: 100,
  decaySteps: steps,
  minLearningRateShare: 0.1,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0.1,
  clipNorm: 1,
};

/** One line of the results. */
interface Evaluation {
  /** inner steps done */
  readonly step: number;
  /** mean over the steps since the evaluation before, nats a byte; null before the first step */
  readonly trainingLoss: number | null;
  /** nats a byte */
  readonly validationLoss: number;
  /** spent on training so far */
  readonly trainingSeconds: number;
}

const text = await readFile(values.data);
const [training, validation] = splitLines(text);
const options = { threads: Number(values.threads), device: { kind: 'cpu' } } as const;
const seed = computeHash('tapestry/training-curve/v1', Buffer.from(values.seed));
const parameters = computeInitialBase(model, seed);
const lossSession = await LossSession.create(model, evaluationShape, options);
const evaluations = await train(parameters);
await lossSession.release();

const flags = `--seed ${values.seed} --learning-rate ${values['learning-rate']} --threads ${values.threads}`;
const header = {
  command: `npm run suite:training-curve -- --data ${basename(values.data)} ${flags}`,
  seed: values.seed,
  parameters: parameters.length,
  model,
  inner,
  ...shape,
  data: {
    file: basename(values.data),
    sha256: createHash('sha256').update(text).digest('hex'),
    trainingBytes: training.length,
    validationBytes: validation.length,
  },
  machine: { cpu: cpus()[0]?.model.trim(), cores: availableParallelism(), node: process.version },
};
await writeResult('training-curve.jsonl', [header, ...evaluations].map((line) => `${JSON.stringify(line)}\n`).join(''));
await writeResult('training-curve.svg', drawCurve());

/** The lines before the last 5 %, and those; a line keeps its end. */
function splitLines(bytes: Buffer): [training: Buffer, validation: Buffer] {
  const starts = [0];
  for (let end = bytes.indexOf(10); end !== -1 && end + 1 < bytes.length; end = bytes.indexOf(10, end + 1)) {
    starts.push(end + 1);
  }
  const cut = starts[Math.floor(starts.length * 0.95)]!;
  return [bytes.subarray(0, cut), bytes.subarray(cut)];
}

/** All steps, with an evaluation before the first and after every hundredth. */
async function train(trained: Float32Array): Promise<Evaluation[]> {
  const session = await TrainingSession.create({ ...shape, ...options, model, inner });
  const zero = (): Float32Array => new Float32Array(trained.length);
  const state = { parameters: trained, firstMoments: zero(), secondMoments: zero() };
  const stream = createMemoryStream(training);
  const done: Evaluation[] = [];
  let trainingSeconds = 0;
  const evaluate = async (step: number, trainingLoss: number | null): Promise<void> => {
    const validationLoss = await computeValidationLoss(trained);
    done.push({ step, trainingLoss, validationLoss, trainingSeconds });
    const before = trainingLoss === null ? '' : `, training ${trainingLoss.toFixed(4)}`;
    console.error(`step ${step}: validation ${validationLoss.toFixed(4)}${before}, ${trainingSeconds.toFixed(1)} s`);
  };
  await evaluate(0, null);
  for (let first = 0; first < steps; first += stepsPerEvaluation) {
    const indices = Array.from({ length: stepsPerEvaluation }, (_, at) => first + at);
    const tokens = Int32Array.from(indices.flatMap((step) => [...computeBatch(stream, seed, step, shape)]));
    const scalars = Float32Array.from(indices.flatMap((step) => computeStepScalars(inner, step, step + 1)));
    const startedAt = performance.now();
    const { losses } = await session.run(state, tokens, scalars);
    trainingSeconds += (performance.now() - startedAt) / 1000;
    await evaluate(first + stepsPerEvaluation, mean(losses));
  }
  await session.release();
  return done;
}

/** Over the whole validation text but the last, incomplete window. */
async function computeValidationLoss(weights: Float32Array): Promise<number> {
  const { batchSize, sequenceLength } = evaluationShape;
  const windows = Math.floor((validation.length - 1) / sequenceLength);
  const losses: number[] = [];
  for (let first = 0; first < windows; first += batchSize) {
    const count = Math.min(batchSize, windows - first);
    const starts = Array.from({ length: count }, (_, at) => (first + at) * sequenceLength);
    const tokens = starts.flatMap((start) => [...validation.subarray(start, start + sequenceLength + 1)]);
    losses.push(...(await lossSession.run(weights, Int32Array.from(tokens))));
  }
  return mean(losses);
}

function mean(numbers: ArrayLike<number>): number {
  return Array.from(numbers).reduce((sum, value) => sum + value, 0) / numbers.length;
}

/** Without the evaluation before the first step: it would take up most of the height. */
function drawCurve(): string {
  const millions = (parameters.length / 1e6).toFixed(2);
  const trainingPoints = evaluations.flatMap(({ step, trainingLoss }): [number, number][] =>
    // A mean over steps stands in their middle.
    trainingLoss === null ? [] : [[step - stepsPerEvaluation / 2, trainingLoss]],
  );
  return drawLineChart({
    title: `${millions} M parameters, ${steps} steps of ${shape.batchSize} × ${shape.sequenceLength} bytes`,
    xLabel: 'inner steps',
    yLabel: 'loss, nats a byte',
    series: [
      { name: 'validation', points: evaluations.slice(1).map(({ step, validationLoss }) => [step, validationLoss]) },
      { name: `training, mean of ${stepsPerEvaluation} steps`, points: trainingPoints },
    ],
  });
}

async function writeResult(name: string, content: string): Promise<void> {
  const path = fileURLToPath(new URL(`../benchmarks/results/${name}`, import.meta.url));
  await writeWhole(path, [Buffer.from(content)]);
  console.error(path);
}
