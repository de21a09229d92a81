/**
 * What the GPU benchmark measures, one function for each part. Each makes its own sessions and returns one line of results.
 * H = steps of one run, N = parameters
 */
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { computeInitialBase } from '../src/protocol/initial-base.ts';
import { computeModelLayout } from '../src/protocol/model.ts';
import { type Device, formatDevice } from '../src/trainer/device.ts';
import type { BatchShape } from '../src/trainer/graph/decoder.ts';
import { computeStepScalars } from '../src/trainer/step-scalars.ts';
import { TrainingSession, type TrainingState } from '../src/trainer/training-session.ts';
import { type BenchShape, benchInner, readBenchTokens } from './bench-shapes.ts';

/** What is measured, and on what. */
export interface PartInit {
  readonly shape: BenchShape;
  readonly batch: BatchShape;
  readonly device: Device;
}

/** One line of results, as far as a part knows it. */
export type Measured = Readonly<Record<string, unknown>>;

/** Numbers that a difference from the CPU must stay under: float32 against float32, and against TF32. */
const tolerances = { float32: 1e-4, tf32: 1e-2 } as const;
const longRun = 20;
const repeats = 3;

/** Tokens a second of runs of H = 20, and of the steps alone: what a run takes beyond its steps is moving the state. */
export async function measureSpeed(init: PartInit): Promise<Measured> {
  const run = await createRun(init);
  await run.steps(2);
  const long = await best(() => run.steps(longRun));
  const short = await best(() => run.steps(1));
  await run.release();
  const tokensPerStep = init.batch.batchSize * init.batch.sequenceLength;
  const residentMs = (long - short) / (longRun - 1);
  return {
    tokensPerStep,
    msPerStep: long / longRun,
    tokensPerSecond: (tokensPerStep * longRun * 1000) / long,
    residentMsPerStep: residentMs,
    residentTokensPerSecond: (tokensPerStep * 1000) / residentMs,
  };
}

/**
 * Whether the state stays on the device between steps: one run of 20 steps against 20 runs of one. Every run moves the
 * state in and out; if every step did, both would take the same time.
 */
export async function measureResidency(init: PartInit): Promise<Measured> {
  const run = await createRun(init);
  await run.steps(2);
  const together = await best(() => run.steps(longRun));
  const apart = await best(async () => {
    for (let step = 0; step < longRun; step++) {
      await run.steps(1);
    }
  });
  await run.release();
  const stateBytes = 3 * 4 * run.parameters;
  return {
    steps: longRun,
    msPerStepInOneRun: together / longRun,
    msPerStepInRunsOfOne: apart / longRun,
    msPerTransferOfTheState: (apart - together) / (longRun - 1),
    stateBytesEachWay: stateBytes,
    gigabytesPerSecondIfThatIsTheTransfer: (2 * stateBytes * (longRun - 1)) / ((apart - together) * 1e6),
  };
}

/** Relative distance of the update from the CPU's, after 10 and after 50 steps from the same start. */
export async function measureAgreement(init: PartInit, tf32: boolean): Promise<Measured> {
  const tolerance = init.device.kind === 'cuda' && tf32 ? tolerances.tf32 : tolerances.float32;
  const run = await createRun(init);
  const reference = await createRun({ ...init, device: { kind: 'cpu' } });
  const distances: Record<string, number> = {};
  for (const [steps, done] of [
    [10, 10],
    [40, 50],
  ] as const) {
    await run.steps(steps);
    await reference.steps(steps);
    distances[`distanceAfter${done}`] = computeUpdateDistance(run, reference);
  }
  await Promise.all([run.release(), reference.release()]);
  const agrees = Object.values(distances).every((distance) => distance <= tolerance);
  return { ...distances, tolerance, agrees };
}

/** Whether two sessions make the same bits of the same 20 steps; the hash lets processes be compared as well. */
export async function measureRepeat(init: PartInit): Promise<Measured> {
  const hashes: string[] = [];
  for (let attempt = 0; attempt < 2; attempt++) {
    const run = await createRun(init);
    await run.steps(longRun);
    const { parameters, firstMoments, secondMoments } = run.state;
    const hash = createHash('sha256').update(parameters).update(firstMoments).update(secondMoments);
    hashes.push(hash.digest('hex'));
    await run.release();
  }
  return { identical: hashes[0] === hashes[1], hash: hashes[0] };
}

/** Makes a session and nothing more: its verbose log says where each node was placed. */
export async function measurePlacement(init: PartInit): Promise<Measured> {
  await (await createRun(init)).release();
  return {};
}

interface Run {
  readonly parameters: number;
  readonly base: Float32Array;
  readonly state: TrainingState;
  steps(count: number): Promise<void>;
  release(): Promise<void>;
}

/** A session with a state that begins at the initial base; every call of `steps` goes on from there. */
async function createRun({ shape, batch, device }: PartInit): Promise<Run> {
  const { model } = shape;
  const threads = availableParallelism();
  const session = await TrainingSession.create({ ...batch, model, inner: benchInner, threads, device });
  const base = computeInitialBase(model, new Uint8Array(32));
  const zero = (): Float32Array => new Float32Array(base.length);
  const state = { parameters: base.slice(), firstMoments: zero(), secondMoments: zero() };
  let done = 0;
  const steps = async (count: number): Promise<void> => {
    const all = readBenchTokens(model.vocabSize, batch, done + count);
    const tokens = all.subarray(done * batch.batchSize * (batch.sequenceLength + 1));
    const scalars = Array.from({ length: count }, (_, at) => computeStepScalars(benchInner, done + at, done + at + 1));
    const { losses } = await session.run(state, tokens, Float32Array.from(scalars.flat()));
    if (!losses.every(Number.isFinite)) throw new Error(`the loss on ${formatDevice(device)} is not finite`);
    done += count;
  };
  const parameters = computeModelLayout(model).length;
  return { parameters, base, state, steps, release: () => session.release() };
}

/** ‖update − reference update‖ / ‖reference update‖ */
function computeUpdateDistance(run: Run, reference: Run): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < run.base.length; i++) {
    difference += (run.state.parameters[i]! - reference.state.parameters[i]!) ** 2;
    norm += (reference.state.parameters[i]! - reference.base[i]!) ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** The shortest of a few attempts, milliseconds: whatever else the machine does only makes them longer. */
async function best(work: () => Promise<void>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < repeats; attempt++) {
    const started = performance.now();
    await work();
    least = Math.min(least, performance.now() - started);
  }
  return least;
}
