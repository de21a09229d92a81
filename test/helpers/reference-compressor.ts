/**
 * TPU1 written for reading, not for speed: full sort, bit strings, rounding by arithmetic instead of bit patterns.
 * Shares no code with src/protocol/compressor; the two are compared in tests.
 */

interface Shape {
  readonly chunkLength: number;
  readonly topK: number;
}

/** Nearest bf16 to a float32 ≥ 0, ties to even, the largest finite one instead of infinity; as a number. */
export function roundToBfloat16Value(value: number): number {
  const single = Math.fround(value);
  if (single === 0) return 0;
  let exponent = -126;
  while (2 ** (exponent + 1) <= single) exponent++;
  const quantum = 2 ** (exponent - 7);
  const steps = single / quantum;
  let rounded = Math.floor(steps);
  const rest = steps - rounded;
  if (rest > 0.5 || (rest === 0.5 && rounded % 2 === 1)) rounded++;
  return Math.min(rounded * quantum, 255 * 2 ** 120);
}

/** The upper 16 bits of a float32, as a string of bits, lowest first. */
function levelBits(value: number): string {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return lowestFirst(view.getUint16(0), 16);
}

function lowestFirst(value: number, bits: number): string {
  let text = '';
  for (let bit = 0; bit < bits; bit++) text += Math.floor(value / 2 ** bit) % 2 === 1 ? '1' : '0';
  return text;
}

function padToByte(bits: string): string {
  return bits.padEnd(Math.ceil(bits.length / 8) * 8, '0');
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function encodeChunk(values: readonly number[], topK: number): string {
  const n = values.length;
  const k = Math.min(topK, n);
  const ascending = (a: number, b: number): number => a - b;
  const top = values
    .map((value, index) => ({ magnitude: Math.abs(value), index }))
    .sort((a, b) => b.magnitude - a.magnitude || a.index - b.index)
    .slice(0, k)
    .filter((entry) => entry.magnitude > 0)
    .sort((a, b) => a.index - b.index);
  const t = top.length < k ? 0 : sum(top.map((entry) => entry.magnitude)) / k;
  const upper = top.filter((entry) => entry.magnitude > t);
  const lower = top.filter((entry) => entry.magnitude <= t);
  const lo = roundToBfloat16Value(sum(lower.map((entry) => entry.magnitude)) / (k - upper.length));
  const hi = upper.length === 0 ? lo : roundToBfloat16Value(sum(upper.map((entry) => entry.magnitude)) / upper.length);

  const used = new Map<number, { negative: boolean; isHigh: boolean }>();
  for (const { index, magnitude } of top) {
    const level = magnitude > t ? hi : lo;
    if (level > 0) used.set(index, { negative: values[index]! < 0, isHigh: magnitude > t && hi > lo });
  }
  for (let index = 0; used.size < k; index++) {
    if (!used.has(index)) used.set(index, { negative: false, isHigh: false });
  }
  const indices = [...used.keys()].sort(ascending);

  let l = 0;
  while (k * 2 ** (l + 1) <= n) l++;
  const high = Array.from({ length: k + Math.floor((n - 1) / 2 ** l) }, () => '0');
  indices.forEach((index, rank) => {
    high[Math.floor(index / 2 ** l) + rank] = '1';
  });
  return [
    levelBits(lo),
    levelBits(hi),
    high.join(''),
    indices.map((index) => lowestFirst(index % 2 ** l, l)).join(''),
    indices.map((index) => (used.get(index)!.negative ? '1' : '0')).join(''),
    indices.map((index) => (used.get(index)!.isHigh ? '1' : '0')).join(''),
  ]
    .map(padToByte)
    .join('');
}

/** The body of `values`. */
export function encodeBodySlowly(values: Float32Array, shape: Shape): Uint8Array {
  let bits = '';
  for (let from = 0; from < values.length; from += shape.chunkLength) {
    bits += encodeChunk([...values.subarray(from, from + shape.chunkLength)], shape.topK);
  }
  return Uint8Array.from({ length: bits.length / 8 }, (_, byte) => {
    const text = bits.slice(byte * 8, byte * 8 + 8);
    return Number.parseInt([...text].reverse().join(''), 2);
  });
}
