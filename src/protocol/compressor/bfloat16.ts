/**
 * bfloat16 by integer arithmetic on float32 bits: the levels of a chunk. A bf16 is the upper half of a float32.
 * spec/compressor.md#levels
 */

/** The largest finite bf16, about 3.39e38. */
const largestFinite = 0x7f7f;

/** First bit pattern that is not a finite number: infinity, then NaN. */
export const bfloat16Infinity = 0x7f80;

/**
 * Rounds a finite float32 ≥ +0 to bf16: to nearest, ties to even; what would become infinity becomes the largest
 * finite value.
 *
 * @param bits the float32's bits, 0 … 0x7f7fffff
 * @returns the bf16's bits, 0 … 0x7f7f
 */
export function roundToBfloat16(bits: number): number {
  const isOdd = (bits >>> 16) & 1;
  return Math.min((bits + 0x7fff + isOdd) >>> 16, largestFinite);
}
