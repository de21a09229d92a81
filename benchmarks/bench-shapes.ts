/**
 * The models and batches of the benchmarks, and the tokens they train on. PyTorch is given the same shapes.
 * V = vocabulary size
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ModelConfig } from '../src/protocol/model.ts';
import { presets } from '../src/protocol/presets.ts';
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

/** By their count of parameters: presets and what lies between them; `tiny` is for trying a script out. */
export const benchShapes: Readonly<Record<string, BenchShape>> = {
  tiny: {
    model: { ...common, vocabSize: 512, contextLength: 64, dim: 32, layers: 2, heads: 4, kvHeads: 2, feedForward: 48 },
    batches: { small: batch(4, 16), large: batch(16, 64) },
  },
  '1M': {
    model: { ...presets.micro.model, contextLength: 256 },
    batches: { small: batch(8, 256), large: batch(64, 256) },
  },
  '10M': {
    model: presets.tiny.model,
    batches: { small: batch(8, 256), large: batch(64, 256) },
  },
  '30M': {
    model: { ...presets.tiny.model, contextLength: 512, dim: 512, layers: 11, heads: 8, kvHeads: 4, feedForward: 1408 },
    batches: { small: batch(4, 256), large: batch(16, 512) },
  },
  '124M': {
    model: presets.small.model,
    batches: { small: batch(4, 256), large: batch(8, 1024) },
  },
  // The shape of GPT-2's smallest model: a third of it is the vocabulary.
  '124M-50k': {
    model: {
      ...presets.small.model,
      vocabSize: 50_257,
      layers: 12,
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
