/**
 * A TPU1 body to the elements it sends. Accepts only what an encoder can have written, so that no update has two
 * encodings; everything else is refused with a reason. spec/compressor.md#canonical-bodies
 *
 * n = elements of a chunk, k = elements sent, lo and hi = the two levels
 */

import type { Checked, Rejected } from '../outcome.ts';
import { accept, reject } from '../outcome.ts';
import { bfloat16Infinity } from './bfloat16.ts';
import type { ChunkLayout, CompressorShape } from './shape.ts';
import { computeBodyLayout } from './shape.ts';

/** What a body says: elements in ascending index order. An element at level zero has the value +0. */
export interface DecodedBody {
  /** N: length of the flat vector */
  readonly length: number;
  /** indices in the flat vector, strictly increasing */
  readonly indices: Uint32Array;
  /** the value at each index: ± one of its chunk's two levels, finite, never −0 */
  readonly values: Float32Array;
  /** ‖u‖²: sum over chunks in order of (n_lo·lo² + n_hi·hi²), float64, finite */
  readonly squaredNorm: number;
}

/** What a body must be, from the manifest. */
export interface BodyShape extends CompressorShape {
  /** N: length of the flat vector */
  readonly length: number;
}

/** Whether the bits of a part from `bits` on, up to its last byte, are zero. */
function isPadded(bytes: Uint8Array, offset: number, bits: number): boolean {
  const used = bits & 7;
  return used === 0 || bytes[offset + (bits >>> 3)]! >>> used === 0;
}

function checkPadding(bytes: Uint8Array, chunk: number, layout: ChunkLayout): Rejected | null {
  const { count } = layout;
  if (!isPadded(bytes, layout.highOffset, layout.highBitLength)) return reject('pad-bits', { chunk, part: 'high' });
  if (!isPadded(bytes, layout.lowOffset, count * layout.lowBits)) return reject('pad-bits', { chunk, part: 'low' });
  if (!isPadded(bytes, layout.signOffset, count)) return reject('pad-bits', { chunk, part: 'sign' });
  if (!isPadded(bytes, layout.magnitudeOffset, count)) return reject('pad-bits', { chunk, part: 'magnitude' });
  return null;
}

/** The levels are finite, not negative, never −0, and in order. */
function checkLevels(chunk: number, low: number, high: number): Rejected | null {
  for (const [name, bits] of [['lo', low] as const, ['hi', high] as const]) {
    if ((bits & 0x7fff) >= bfloat16Infinity) return reject('level-not-finite', { chunk, level: name, bits });
    if (bits >= 0x8000) return reject('level-negative', { chunk, level: name, bits });
  }
  return low > high ? reject('level-order', { chunk, lo: low, hi: high }) : null;
}

/** Writes the chunk-local indices; they must be k, strictly increasing and below n. */
function decodeIndices(bytes: Uint8Array, chunk: number, layout: ChunkLayout, out: Uint32Array): Rejected | null {
  const { length, count, lowBits, highOffset, lowOffset } = layout;
  const lowMask = (1 << lowBits) - 1;
  let lowBuffer = 0;
  let lowBuffered = 0;
  let lowCursor = lowOffset;
  let previous = -1;
  let found = 0;
  for (let cursor = highOffset; cursor < lowOffset; cursor++) {
    for (let rest = bytes[cursor]!; rest !== 0; rest &= rest - 1) {
      if (found === count) return reject('index-count', { chunk, expected: count, atLeast: count + 1 });
      const position = (cursor - highOffset) * 8 + 31 - Math.clz32(rest & -rest);
      for (; lowBuffered < lowBits; lowBuffered += 8) lowBuffer |= bytes[lowCursor++]! << lowBuffered;
      const index = ((position - found) << lowBits) | (lowBuffer & lowMask);
      lowBuffer >>>= lowBits;
      lowBuffered -= lowBits;
      if (index <= previous) return reject('index-order', { chunk, previous, found: index });
      if (index >= length) return reject('index-range', { chunk, length, found: index });
      previous = index;
      out[found++] = index;
    }
  }
  return found < count ? reject('index-count', { chunk, expected: count, found }) : null;
}

/** The four signed values that an element of the chunk can have, in order of the bits (magnitude, sign). */
type Palette = Float32Array;

/** Writes the values and checks the sign and magnitude bits. Returns how many are at the high level. */
function decodeValues(
  bytes: Uint8Array,
  chunk: number,
  layout: ChunkLayout,
  palette: Palette,
  indices: Uint32Array,
  out: Float32Array,
): number | Rejected {
  const { count, signOffset, magnitudeOffset } = layout;
  const lowIsZero = palette[0] === 0;
  let highCount = 0;
  for (let i = 0; i < count; i++) {
    const sign = (bytes[signOffset + (i >>> 3)]! >>> (i & 7)) & 1;
    const magnitude = (bytes[magnitudeOffset + (i >>> 3)]! >>> (i & 7)) & 1;
    highCount += magnitude;
    if (lowIsZero && magnitude === 0) {
      if (sign === 1) return reject('zero-sign', { chunk, element: i });
      // All lower indices are in use exactly when the index equals the element's rank.
      if (indices[i] !== i) return reject('zero-index', { chunk, element: i, index: indices[i]! });
    }
    out[i] = palette[magnitude * 2 + sign]!;
  }
  // One level: no magnitude bit says anything. Two levels: each is used, or one level would have said the same.
  const isTwoLevel = palette[2]! > palette[0]!;
  if (isTwoLevel ? highCount === 0 || highCount === count : highCount > 0) {
    return reject('magnitude-bits', { chunk, levels: isTwoLevel ? 2 : 1, set: highCount, count });
  }
  return highCount;
}

/**
 * Decodes a TPU1 body and checks that it is canonical.
 *
 * @param bytes untrusted; its length is compared before anything is allocated
 * @param shape from the manifest
 * @returns the elements sent, or a refusal: `body-length`, `pad-bits`, `level-not-finite`, `level-negative`,
 *   `level-order`, `index-count`, `index-order`, `index-range`, `zero-sign`, `zero-index`, `magnitude-bits`
 * @throws {TapestryError} `compressor-shape` if the shape is out of range
 * @see spec/compressor.md#canonical-bodies
 */
export function decodeBody(bytes: Uint8Array, shape: BodyShape): Checked<DecodedBody> {
  const layout = computeBodyLayout(shape.length, shape);
  if (bytes.length !== layout.byteLength) {
    return reject('body-length', { expected: layout.byteLength, found: bytes.length });
  }
  const indices = new Uint32Array(layout.count);
  const values = new Float32Array(layout.count);
  const palette: Palette = new Float32Array(4);
  const paletteBits = new Uint32Array(palette.buffer);
  let squaredNorm = 0;
  for (let chunk = 0; chunk < layout.chunks; chunk++) {
    const chunkLayout = chunk === layout.chunks - 1 ? layout.last : layout.full;
    const offset = chunk * layout.full.byteLength;
    const part = bytes.subarray(offset, offset + chunkLayout.byteLength);
    const low = part[0]! | (part[1]! << 8);
    const high = part[2]! | (part[3]! << 8);
    const first = chunk * layout.full.count;
    const chunkIndices = indices.subarray(first, first + chunkLayout.count);
    const refusal =
      checkLevels(chunk, low, high) ??
      checkPadding(part, chunk, chunkLayout) ??
      decodeIndices(part, chunk, chunkLayout, chunkIndices);
    if (refusal !== null) return refusal;
    paletteBits[0] = low << 16;
    paletteBits[1] = (low | 0x8000) << 16;
    paletteBits[2] = high << 16;
    paletteBits[3] = (high | 0x8000) << 16;
    const chunkValues = values.subarray(first, first + chunkLayout.count);
    const highCount = decodeValues(part, chunk, chunkLayout, palette, chunkIndices, chunkValues);
    if (typeof highCount !== 'number') return highCount;
    const lo = palette[0]!;
    const hi = palette[2]!;
    squaredNorm += (chunkLayout.count - highCount) * (lo * lo) + highCount * (hi * hi);
    const start = chunk * shape.chunkLength;
    for (let i = 0; i < chunkIndices.length; i++) chunkIndices[i]! += start;
  }
  return accept({ length: shape.length, indices, values, squaredNorm });
}

/**
 * Subtracts what a body sends from `target`, in place: one float32 subtraction for every element sent.
 *
 * @param target N float32 values
 * @throws {RangeError} if the lengths differ
 * @see spec/compressor.md#error-feedback
 */
export function subtractBody(target: Float32Array, body: DecodedBody): void {
  if (target.length !== body.length) {
    throw new RangeError(`The body is over ${body.length} values, the target has ${target.length}.`);
  }
  const { indices, values } = body;
  for (let i = 0; i < indices.length; i++) target[indices[i]!]! -= values[i]!;
}
