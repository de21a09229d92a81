/** Tiny models of every kind, with weights that are large enough for their logits to differ. */
import { computeModelLayout, type ModelConfig } from '../../../src/protocol/model.ts';
import { createNumbers } from './numbers.ts';

const base: ModelConfig = {
  vocabSize: 61,
  contextLength: 24,
  dim: 16,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  feedForward: 24,
  ropeTheta: 10_000,
  normEpsilon: 1e-5,
  tiedEmbeddings: true,
};

/** Grouped, full and single key-value heads, tied and untied. */
export const tinyModels: Readonly<Record<string, ModelConfig>> = {
  'grouped, tied': base,
  'grouped, untied': { ...base, tiedEmbeddings: false, ropeTheta: 500_000 },
  'full, untied': { ...base, kvHeads: 4, tiedEmbeddings: false },
  'single, tied, odd context': { ...base, kvHeads: 1, contextLength: 13, normEpsilon: 1e-3 },
};

/** Norms around 1, embeddings uniform within ± 0.5, other matrices within ± 1, so that layers outweigh the token itself. */
export function createRandomParameters(model: ModelConfig, seed: number): Float32Array {
  const number = createNumbers(seed);
  const layout = computeModelLayout(model);
  const parameters = new Float32Array(layout.length);
  for (const { name, shape, offset, length } of layout.tensors) {
    const scale = name.includes('layers') ? 1 : 0.5;
    for (let i = offset; i < offset + length; i++) {
      parameters[i] = shape.length === 1 ? 1 + number() / 4 : number() * scale;
    }
  }
  return parameters;
}

/** Tokens of the vocabulary. */
export function createRandomTokens(model: ModelConfig, length: number, seed: number): Int32Array {
  const number = createNumbers(seed);
  return Int32Array.from({ length }, () => Math.floor(((number() + 1) / 2) * model.vocabSize));
}
