/**
 * One measurement of `bench:trainer`, in a process of its own: training steps and matrix products in turn, so that what
 * else the machine does meets both. The peak is the best of several shapes of product, just before or just after.
 *
 * D = dim, L = layers, T = tokens of a sequence
 */
import { readFileSync } from 'node:fs';
import { computeInitialBase } from '../src/protocol/initial-base.ts';
import { computeModelLayout, type ModelConfig } from '../src/protocol/model.ts';
import { createSession } from '../src/trainer/create-session.ts';
import type { BatchShape } from '../src/trainer/graph/decoder.ts';
import { gemm } from '../src/trainer/graph/linear.ts';
import { encodeModel } from '../src/trainer/onnx/encode-model.ts';
import { GraphBuilder } from '../src/trainer/onnx/graph-builder.ts';
import { Tensor } from '../src/trainer/onnx-runtime.ts';
import { computeStepScalars } from '../src/trainer/step-scalars.ts';
import { planTraining, type TrainingPlan } from '../src/trainer/training-plan.ts';
import { TrainingSession, type TrainingState } from '../src/trainer/training-session.ts';
import { leafSteps } from '../src/trainer/work-root.ts';
import { benchInner, benchShapes, readBenchTokens } from './bench-shapes.ts';

/** What is measured. */
export interface TrainerMeasureInit {
  readonly size: string;
  readonly threads: number;
  readonly rounds: number;
  /** choices that differ from the plan */
  readonly plan: Partial<TrainingPlan>;
  /** another such choice, to be timed in turn with the first */
  readonly versus?: Partial<TrainingPlan>;
}

/** What came of it; medians over the rounds. */
export interface TrainerMeasure {
  readonly parameters: number;
  readonly tokensPerStep: number;
  readonly msPerStep: number;
  readonly tokensPerSecond: number;
  /** floating-point operations that the step cannot do without: 6 a weight and token, 6·L·D·T a token for attention */
  readonly gigaflopsPerSecond: number;
  readonly gemmPeakGigaflops: number;
  readonly gemmPeakShare: number;
  /** time of a step of `versus` over time of a step, from pairs; null without `versus` */
  readonly versusRatio: number | null;
  readonly peakRssBytes: number;
  readonly estimatedBytes: number;
  readonly plan: TrainingPlan;
}

/** As `tapestry-peer train` has it: nothing else needs the cores. */
const options = { device: { kind: 'cpu' }, spin: true } as const;
/** Rows, inner size and columns of the products that stand for the peak, and whether the right one is transposed. */
const peakShapes = [
  [512, 512, 512, false],
  [1024, 1024, 1024, true],
  [2048, 960, 320, false],
] as const;
const peakMs = 60;
/** Parameters from which one step is long enough to be timed alone. */
const longStep = 5e6;

if (import.meta.main) {
  process.send!(await measure(JSON.parse(process.argv[2]!) as TrainerMeasureInit));
  process.disconnect();
}

async function measure(init: TrainerMeasureInit): Promise<TrainerMeasure> {
  const { model, batches } = benchShapes[init.size]!;
  const batch = batches.small;
  const planned = planTraining(model, batch, options.device, leafSteps, process.availableMemory());
  const plan = { ...planned.plan, ...init.plan };
  const parameters = computeInitialBase(model, new Uint8Array(32));
  const { length } = parameters;
  const state = { parameters, firstMoments: new Float32Array(length), secondMoments: new Float32Array(length) };
  const train = await createSteps(init, model, batch, plan, state);
  const versus =
    init.versus === undefined
      ? null
      : await createSteps(init, model, batch, { ...planned.plan, ...init.versus }, state);
  const measurePeak = await createPeak(init.threads);
  await train();
  await versus?.();
  const tokensPerStep = batch.batchSize * batch.sequenceLength;
  const flops = countFlops(model, batch.sequenceLength) * tokensPerStep;
  const rounds: { ms: number; versusMs: number; peak: number }[] = [];
  let before = await measurePeak();
  for (let round = 0; round < init.rounds; round++) {
    // In turn first and second: what comes after the products may find a warmer or a slower machine.
    let versusMs = round % 2 === 0 ? await versus?.() : undefined;
    const ms = await train();
    versusMs ??= await versus?.();
    const after = await measurePeak();
    rounds.push({ ms, versusMs: versusMs ?? Number.NaN, peak: Math.max(before, after) });
    before = after;
  }
  const msPerStep = median(rounds.map(({ ms }) => ms));
  return {
    parameters: length,
    tokensPerStep,
    msPerStep,
    tokensPerSecond: (tokensPerStep * 1000) / msPerStep,
    gigaflopsPerSecond: flops / msPerStep / 1e6,
    gemmPeakGigaflops: median(rounds.map(({ peak }) => peak)),
    gemmPeakShare: median(rounds.map(({ ms, peak }) => flops / ms / 1e6 / peak)),
    versusRatio: versus === null ? null : median(rounds.map(({ ms, versusMs }) => versusMs / ms)),
    peakRssBytes: readPeakRss(),
    estimatedBytes: planned.estimatedBytes,
    plan,
  };
}

/** Makes the function that trains a few steps and says how long one took. */
async function createSteps(
  { threads }: TrainerMeasureInit,
  model: ModelConfig,
  batch: BatchShape,
  plan: TrainingPlan,
  state: TrainingState,
): Promise<() => Promise<number>> {
  const session = await TrainingSession.create({ ...batch, model, inner: benchInner, threads, plan, ...options });
  const steps = computeModelLayout(model).length < longStep ? leafSteps : 1;
  const tokens = readBenchTokens(model.vocabSize, batch, steps);
  let done = 0;
  return async () => {
    const scalars = Float32Array.from(
      Array.from({ length: steps }, () => computeStepScalars(benchInner, done, ++done)).flat(),
    );
    const started = performance.now();
    await session.run(state, tokens, scalars);
    return (performance.now() - started) / steps;
  };
}

/** Operations a token: two a weight forward and four backward; attention over the tokens that may be seen alone. */
function countFlops(model: ModelConfig, sequenceLength: number): number {
  const matrices = computeModelLayout(model).tensors.filter(({ shape }) => shape.length === 2);
  const weights = matrices.reduce((sum, tensor) => sum + tensor.length, 0);
  // The table of an untied model is only looked up.
  const lookedUp = model.tiedEmbeddings ? 0 : model.vocabSize * model.dim;
  return 6 * (weights - lookedUp) + 6 * model.layers * model.dim * sequenceLength;
}

/** Makes the function that measures the best product, in GFLOP/s. */
async function createPeak(threads: number): Promise<() => Promise<number>> {
  const runs = await Promise.all(
    peakShapes.map(async ([rows, inner, columns, transB]) => {
      const graph = new GraphBuilder('float');
      const a = graph.input('a', 'float', [rows, inner]);
      const b = graph.input('b', 'float', transB ? [columns, inner] : [inner, columns]);
      const model = encodeModel(graph.finish('product', { y: gemm(graph, a, b, { transB }) }));
      const session = await createSession(model, { threads, ...options });
      const feeds = { a: fill(a.shape as number[]), b: fill(b.shape as number[]) };
      const fetches = { y: fill([rows, columns]) };
      return async (): Promise<number> => {
        const started = performance.now();
        let count = 0;
        while (performance.now() - started < peakMs) {
          await session.run(feeds, fetches);
          count += 1;
        }
        return (count * 2 * rows * inner * columns) / (performance.now() - started) / 1e6;
      };
    }),
  );
  return async () => {
    let best = 0;
    for (const run of runs) {
      best = Math.max(best, await run());
    }
    return best;
  };
}

/** Numbers between −0.5 and 0.5. */
function fill(shape: readonly number[]): Tensor {
  const values = new Float32Array(shape[0]! * shape[1]!);
  for (let at = 0; at < values.length; at++) {
    values[at] = ((at * 7919) % 1013) / 1013 - 0.5;
  }
  return new Tensor('float32', values, shape);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** The largest resident set of this process so far, bytes. */
function readPeakRss(): number {
  if (process.platform !== 'linux') {
    return process.resourceUsage().maxRSS * 1024;
  }
  // What the parent had is counted in maxRSS of a fork; the kernel's own mark is not.
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
}
