/** A model that trains in a blink, and numbers that go with it. */
import { computeInitialBase } from '../../../src/protocol/initial-base.ts';
import type { ModelConfig } from '../../../src/protocol/model.ts';
import type { InnerOptimizerConfig } from '../../../src/trainer/graph/adamw.ts';
import { computeStepScalars } from '../../../src/trainer/step-scalars.ts';
import type { TrainingState } from '../../../src/trainer/training-session.ts';

export const smallModel: ModelConfig = {
  vocabSize: 256,
  contextLength: 16,
  dim: 32,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  feedForward: 48,
  ropeTheta: 10_000,
  normEpsilon: 1e-5,
  tiedEmbeddings: true,
};

export const smallBatch = { batchSize: 4, sequenceLength: 16 };

export const smallInner: InnerOptimizerConfig = {
  learningRate: 1e-2,
  warmupSteps: 5,
  decaySteps: 1000,
  minLearningRateShare: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  clipNorm: 1,
};

/** The initial base with zero moments. */
export function createState(): TrainingState {
  const parameters = computeInitialBase(smallModel, new Uint8Array(32));
  const { length } = parameters;
  return { parameters, firstMoments: new Float32Array(length), secondMoments: new Float32Array(length) };
}

/** Scalars of `count` steps from step `first` on. */
export function createScalars(first: number, count: number): Float32Array {
  return Float32Array.from(
    Array.from({ length: count }, (_, at) => computeStepScalars(smallInner, first + at, first + at + 1)).flat(),
  );
}
