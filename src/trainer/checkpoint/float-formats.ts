/**
 * The number formats of weight files, and their exact way to float32 and back. Every bf16 and f16 value is a float32
 * value, so reading never rounds; writing bf16 rounds to nearest, ties to even. spec/checkpoints.md#number-formats
 */

/** Formats that weights may be stored in, by their names in safetensors. */
export type FloatFormat = 'F32' | 'BF16' | 'F16';

/** Bytes of one value. */
export const bytesPerValue: Readonly<Record<FloatFormat, number>> = { F32: 4, BF16: 2, F16: 2 };

/**
 * Turns stored values into float32, exactly; infinities and NaN stay what they are.
 * @param source little-endian bytes: 4 each for `F32`, 2 each otherwise
 * @param target as many values as `source` holds
 */
export function decodeFloats(format: FloatFormat, source: Uint8Array, target: Float32Array): void {
  if (format === 'F32') {
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(source);
    return;
  }
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  if (format === 'BF16') {
    for (let i = 0; i < bits.length; i++) bits[i] = (source[2 * i]! << 16) | (source[2 * i + 1]! << 24);
    return;
  }
  for (let i = 0; i < bits.length; i++) {
    const half = source[2 * i]! | (source[2 * i + 1]! << 8);
    if ((half & 0x7c00) === 0) {
      // Zero and the subnormals are multiples of 2^-24; float32 has them all as normal numbers.
      target[i] = (half & 0x8000 ? -1 : 1) * (half & 0x03ff) * 2 ** -24;
    } else {
      const exponent = (half >>> 10) & 0x1f;
      bits[i] = ((half & 0x8000) << 16) | ((exponent === 0x1f ? 0xff : exponent + 112) << 23) | ((half & 0x03ff) << 13);
    }
  }
}

/**
 * Turns finite float32 values into bf16 bytes, to nearest, ties to even.
 * @param target 2 bytes for every value, little-endian
 * @returns index of the first value that would become infinite, or −1
 */
export function encodeBfloat16(values: Float32Array, target: Uint8Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    const rounded = (bits[i]! + 0x7fff + ((bits[i]! >>> 16) & 1)) >>> 16;
    if ((rounded & 0x7fff) === 0x7f80) return i;
    target[2 * i] = rounded & 0xff;
    target[2 * i + 1] = rounded >>> 8;
  }
  return -1;
}

/** Index of the first value that is no finite number, or −1. */
export function findNotFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]!)) return i;
  }
  return -1;
}
