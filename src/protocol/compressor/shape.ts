/**
 * How many bytes a body has and where each part of a chunk lies. Both follow from the manifest alone.
 * spec/compressor.md#layout
 *
 * N = length of the flat vector, C = chunk length, n = length of one chunk, k = elements sent of it, l = low bits
 */
import { TapestryError } from '../errors.ts';

/** The compressor's parameters; the manifest fixes them for the network. */
export interface CompressorShape {
  /** C: elements of a full chunk, 1 … 65 536 */
  readonly chunkLength: number;
  /** k: elements sent of every full chunk, 1 … C */
  readonly topK: number;
}

/** Where the parts of one chunk lie: byte offsets from the start of the chunk, and bits in use of each part. */
export interface ChunkLayout {
  /** n: elements of the chunk */
  readonly length: number;
  /** k: elements sent */
  readonly count: number;
  /** l: bits of an index in the low part */
  readonly lowBits: number;
  readonly highOffset: number;
  readonly lowOffset: number;
  readonly signOffset: number;
  readonly magnitudeOffset: number;
  readonly byteLength: number;
  /** bits of the high part that may be set: k + ⌊(n − 1) / 2^l⌋ */
  readonly highBitLength: number;
}

/** The two bf16 levels that start a chunk. */
const levelBytes = 4;

/** Above this the float64 sums of a chunk could round, and equal values would not average to themselves. */
const largestChunk = 65_536;

/** Bytes that hold `bits` bits. */
function computeByteLength(bits: number): number {
  return Math.ceil(bits / 8);
}

/**
 * The layout of a chunk of n elements of which min(topK, n) are sent.
 *
 * @param length n, 1 … 65 536
 * @param topK at least 1
 * @see spec/compressor.md#layout
 */
export function computeChunkLayout(length: number, topK: number): ChunkLayout {
  const count = Math.min(topK, length);
  let lowBits = 0;
  while (count * 2 ** (lowBits + 1) <= length) lowBits++;
  const highBitLength = count + ((length - 1) >>> lowBits);
  const highOffset = levelBytes;
  const lowOffset = highOffset + computeByteLength(highBitLength);
  const signOffset = lowOffset + computeByteLength(count * lowBits);
  const magnitudeOffset = signOffset + computeByteLength(count);
  const byteLength = magnitudeOffset + computeByteLength(count);
  return { length, count, lowBits, highOffset, lowOffset, signOffset, magnitudeOffset, byteLength, highBitLength };
}

/** All chunks of a vector: how many there are, the layout of the full ones and that of the last one. */
export interface BodyLayout {
  readonly chunks: number;
  readonly full: ChunkLayout;
  /** same as `full` where the chunk length divides the vector's */
  readonly last: ChunkLayout;
  readonly byteLength: number;
  /** elements sent in all chunks together */
  readonly count: number;
}

function refuseShape(what: string, expected: string, found: number): TapestryError {
  return new TapestryError(
    'compressor-shape',
    `Compressor: ${what} must be a whole number ${expected}; found ${found}.`,
    'Change the manifest, or the value given with --set compressor.',
    { expected, found },
  );
}

/**
 * The layout of a body over `length` values.
 *
 * @param length N, 1 … 2^32 − 1
 * @throws {TapestryError} `compressor-shape` if a number is out of range
 * @see spec/compressor.md#layout
 */
export function computeBodyLayout(length: number, shape: CompressorShape): BodyLayout {
  const { chunkLength, topK } = shape;
  const isWithin = (value: number, last: number): boolean => Number.isInteger(value) && value >= 1 && value <= last;
  if (!isWithin(length, 0xffff_ffff)) throw refuseShape('the length of the vector', 'from 1 to 2^32 - 1', length);
  if (!isWithin(chunkLength, largestChunk)) throw refuseShape('chunkLength', `from 1 to ${largestChunk}`, chunkLength);
  if (!isWithin(topK, chunkLength)) throw refuseShape('topK', `from 1 to chunkLength (${chunkLength})`, topK);
  const chunks = Math.ceil(length / chunkLength);
  const full = computeChunkLayout(chunkLength, topK);
  const rest = length % chunkLength;
  const last = rest === 0 ? full : computeChunkLayout(rest, topK);
  const byteLength = (chunks - 1) * full.byteLength + last.byteLength;
  return { chunks, full, last, byteLength, count: (chunks - 1) * full.count + last.count };
}

/**
 * The exact number of bytes of a body over `length` values.
 *
 * @throws {TapestryError} `compressor-shape` if a number is out of range
 * @see spec/compressor.md#layout
 */
export function computeBodyLength(length: number, shape: CompressorShape): number {
  return computeBodyLayout(length, shape).byteLength;
}
