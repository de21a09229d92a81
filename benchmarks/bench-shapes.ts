/**
 * The models and batches of the benchmarks, and the tokens they train on. PyTorch is given the same shapes.
 * V = vocabulary size
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ModelConfig } from '../src/protocol/model.ts';
import type { InnerOptimizerConfig } from '../src/trainer/graph/adamw.ts';
import type { BatchShape } from '../src/trainer/graph/decoder.ts';

/** A model with the batches it is measured at. */
export interface BenchShape {
  readonly model: ModelConfig;
  /** `small`: as on a CPU; `large`: what a GPU needs to be busy */
  readonly batches: Readonly<Record<'small' | 'large', BatchShape>>;
}

const common = { ropeTheta: 10_000, normEpsilon: 1e-5, tiedEmbeddings: true };
const batch = (batchSize: number, sequenceLength: number): BatchShape => ({ batchSize, sequenceLength });

/** By their count of parameters; `tiny` is for trying the script out. */
export const benchShapes: Readonly<Record<string, BenchShape>> = {
  tiny: {
    model: { ...common, vocabSize: 512, contextLength: 64, dim: 32, layers: 2, heads: 4, kvHeads: 2, feedForward: 48 },
    batches: { small: batch(4, 16), large: batch(16, 64) },
  },
  '1M': {
    model: {
      ...common,
      vocabSize: 256,
      contextLength: 256,
      dim: 128,
      layers: 4,
      heads: 4,
      kvHeads: 4,
      feedForward: 344,
    },
    batches: { small: batch(8, 256), large: batch(64, 256) },
  },
  '10M': {
    model: {
      ...common,
      vocabSize: 256,
      contextLength: 256,
      dim: 384,
      layers: 6,
      heads: 6,
      kvHeads: 6,
      feedForward: 1024,
    },
    batches: { small: batch(8, 256), large: batch(64, 256) },
  },
  '30M': {
    model: {
      ...common,
      vocabSize: 8192,
      contextLength: 512,
      dim: 512,
      layers: 8,
      heads: 8,
      kvHeads: 8,
      feedForward: 1376,
    },
    batches: { small: batch(4, 256), large: batch(16, 512) },
  },
  '124M': {
    model: {
      ...common,
      vocabSize: 50_257,
      contextLength: 1024,
      dim: 768,
      layers: 12,
      heads: 12,
      kvHeads: 12,
      feedForward: 2048,
    },
    batches: { small: batch(4, 256), large: batch(8, 1024) },
  },
};

/** Ordinary AdamW; the numbers do not matter for speed. */
export const benchInner: InnerOptimizerConfig = {
  learningRate: 1e-3,
  warmupSteps: 10,
  decaySteps: 1000,
  minLearningRateShare: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  clipNorm: 1,
};

/**
 * Tokens of real text, so that some come often and most seldom: the bytes of the pages in spec/, or pairs of them where
 * the vocabulary is larger. The batches of a step follow one another.
 * @returns [steps, B, T + 1], int32
 */
export function readBenchTokens(
  vocabSize: number,
  { batchSize, sequenceLength }: BatchShape,
  steps: number,
): Int32Array {
  const folder = fileURLToPath(new URL('../spec/', import.meta.url));
  const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));
  const text = Buffer.concat(pages.sort().map((name) => readFileSync(folder + name)));
  const tokenAt = (place: number): number => {
    const first = text[place % text.length]!;
    return vocabSize <= 256 ? first % vocabSize : (first * 257 + text[(place + 1) % text.length]!) % vocabSize;
  };
  return Int32Array.from({ length: steps * batchSize * (sequenceLength + 1) }, (_, place) => tokenAt(place));
}
