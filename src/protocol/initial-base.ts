/**
 * The weights that a network starts from, the same bits on every machine: whole numbers from a seeded generator, then
 * one multiplication and one rounding. No logarithm or cosine, which machines round differently. spec/model.md#initial-base
 *
 * L = layers
 */
import { computeHash } from './hash.ts';
import { computeModelLayout, type ModelConfig, type TensorSlot } from './model.ts';

/** Standard deviation of embeddings and of matrices that do not write into the residual stream. */
const standardDeviation = 0.02;

/** Twelve 16-bit draws have the variance of one unit of 65 536, less a 2^-32 share. */
const drawMean = 12 * 32767.5;
const drawUnit = 65536;

/**
 * θ_1: ones for norms; for embeddings and matrices near-normal numbers with standard deviation 0.02, or
 * 0.02 / √(2L) for `o_proj` and `down_proj`, so that the residual stream does not grow with depth.
 * @param seed 32 bytes, the manifest's
 * @returns flat vector in layout order
 * @see spec/model.md#initial-base
 */
export function computeInitialBase(model: ModelConfig, seed: Uint8Array): Float32Array {
  const layout = computeModelLayout(model);
  const base = new Float32Array(layout.length);
  for (const slot of layout.tensors) {
    const values = base.subarray(slot.offset, slot.offset + slot.length);
    if (slot.shape.length === 1) {
      values.fill(1);
    } else {
      fillNormal(
        values,
        computeHash('tapestry/initial-base/v1', seed, Buffer.from(slot.name)),
        deviationOf(slot, model),
      );
    }
  }
  return base;
}

function deviationOf(slot: TensorSlot, model: ModelConfig): number {
  const writesResidual = slot.name.endsWith('o_proj.weight') || slot.name.endsWith('down_proj.weight');
  return writesResidual ? standardDeviation / Math.sqrt(2 * model.layers) : standardDeviation;
}

/**
 * Fills `values` with sums of twelve 16-bit draws of xoshiro128** (https://prng.di.unimi.it/), centred and scaled.
 * @param key 32 bytes, of which the first 16 are the generator's state, little-endian
 */
function fillNormal(values: Float32Array, key: Uint8Array, deviation: number): void {
  const view = new DataView(key.buffer, key.byteOffset);
  const scale = deviation / drawUnit;
  let s0 = view.getInt32(0, true);
  let s1 = view.getInt32(4, true);
  let s2 = view.getInt32(8, true);
  let s3 = view.getInt32(12, true);
  for (let i = 0; i < values.length; i++) {
    let sum = 0;
    for (let draw = 0; draw < 6; draw++) {
      const product = Math.imul(s1, 5);
      const result = Math.imul((product << 7) | (product >>> 25), 9);
      sum += (result & 0xffff) + (result >>> 16);
      const shifted = s1 << 9;
      s2 ^= s0;
      s3 ^= s1;
      s1 ^= s2;
      s0 ^= s3;
      s2 ^= shifted;
      s3 = (s3 << 11) | (s3 >>> 21);
    }
    values[i] = (sum - drawMean) * scale;
  }
}
