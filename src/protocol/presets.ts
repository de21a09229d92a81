/**
 * The named sizes people choose from: a model and the training numbers that suit it on two CPU cores.
 * A preset only fills a manifest; the manifest is what counts afterwards. spec/manifest.md#presets
 */
import type { ModelConfig } from './model.ts';

/** Names of the presets, smallest first. */
export type PresetName = 'nano' | 'micro' | 'tiny' | 'small';

/** A model and the inner-loop numbers that go with it. */
export interface Preset {
  readonly model: ModelConfig;
  /** inner steps of one round */
  readonly innerSteps: number;
  /** sequences of one inner step */
  readonly batchSize: number;
  /** tokens of one sequence */
  readonly sequenceLength: number;
  readonly learningRate: number;
  readonly warmupSteps: number;
  /** values kept of every chunk of 4096 */
  readonly topK: number;
}

const llama = { vocabSize: 256, kvHeads: 2, heads: 4, ropeTheta: 10_000, normEpsilon: 1e-5, tiedEmbeddings: true };

/** The presets: nano is for tests, micro the default, tiny and small for larger machines. */
export const presets: Readonly<Record<PresetName, Preset>> = {
  nano: {
    model: { ...llama, contextLength: 64, dim: 64, layers: 4, feedForward: 192 },
    innerSteps: 10,
    batchSize: 4,
    sequenceLength: 64,
    learningRate: 6e-3,
    warmupSteps: 20,
    topK: 256,
  },
  micro: {
    model: { ...llama, contextLength: 128, dim: 128, layers: 5, feedForward: 384 },
    innerSteps: 12,
    batchSize: 8,
    sequenceLength: 128,
    learningRate: 4e-3,
    warmupSteps: 50,
    topK: 256,
  },
  tiny: {
    model: { ...llama, contextLength: 256, dim: 384, layers: 6, heads: 6, feedForward: 1024 },
    innerSteps: 30,
    batchSize: 8,
    sequenceLength: 256,
    learningRate: 1.5e-3,
    warmupSteps: 100,
    topK: 256,
  },
  small: {
    model: { ...llama, contextLength: 1024, dim: 768, layers: 18, heads: 12, kvHeads: 4, feedForward: 2304 },
    innerSteps: 30,
    batchSize: 8,
    sequenceLength: 512,
    learningRate: 5e-4,
    warmupSteps: 200,
    topK: 64,
  },
};
