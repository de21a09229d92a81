/**
 * A vector to its TPU1 body: the k largest of every chunk, two levels, one sign bit and one magnitude bit each.
 * Any two encoders give the same bytes for the same values. spec/compressor.md
 *
 * n = elements of a chunk, k = elements sent, z = those at a level above zero, lo and hi = the two levels
 */
import { TapestryError } from '../errors.ts';
import { roundToBfloat16 } from './bfloat16.ts';
import type { SelectionScratch } from './select-top.ts';
import { createSelectionScratch, selectTop } from './select-top.ts';
import type { ChunkLayout, CompressorShape } from './shape.ts';
import { computeBodyLayout } from './shape.ts';

/** Working memory of one encoding, reused from chunk to chunk. */
interface EncoderScratch {
  readonly selection: SelectionScratch;
  /** chunk-local indices of the selected elements, ascending */
  readonly selected: Uint32Array;
  /** one number as float32 and as its bits */
  readonly float: Float32Array;
  readonly floatBits: Uint32Array;
}

/** The two levels of a chunk as bf16 bits, and the threshold above which the magnitude bit is set. */
interface Levels {
  readonly low: number;
  readonly high: number;
  readonly threshold: number;
}

/** Mean of magnitudes: float64 quotient, rounded to float32, rounded to bf16. */
function computeLevel(sum: number, count: number, scratch: EncoderScratch): number {
  scratch.float[0] = sum / count;
  return roundToBfloat16(scratch.floatBits[0]!);
}

/**
 * The levels of a chunk. With fewer than k non-zero values the threshold is zero, so that the low level is zero and
 * a coordinate without a value is never sent one. spec/compressor.md#levels
 */
function computeLevels(values: Float32Array, selected: number, count: number, scratch: EncoderScratch): Levels {
  let sum = 0;
  for (let i = 0; i < selected; i++) sum += Math.abs(values[scratch.selected[i]!]!);
  const threshold = selected < count ? 0 : sum / count;
  let lowSum = 0;
  let highSum = 0;
  let highCount = 0;
  for (let i = 0; i < selected; i++) {
    const magnitude = Math.abs(values[scratch.selected[i]!]!);
    if (magnitude > threshold) {
      highSum += magnitude;
      highCount++;
    } else {
      lowSum += magnitude;
    }
  }
  // The smallest magnitude is never above the mean, so the low class cannot be empty.
  const low = computeLevel(lowSum, count - highCount, scratch);
  const high = highCount === 0 ? low : computeLevel(highSum, highCount, scratch);
  return { low, high, threshold };
}

/** Keeps the selected elements whose level is above zero. Returns how many stay. */
function dropLevelZero(values: Float32Array, selected: number, levels: Levels, scratch: EncoderScratch): number {
  if (levels.low > 0) return selected;
  if (levels.high === 0) return 0;
  let kept = 0;
  for (let i = 0; i < selected; i++) {
    const index = scratch.selected[i]!;
    if (Math.abs(values[index]!) > levels.threshold) scratch.selected[kept++] = index;
  }
  return kept;
}

/** Writes one chunk into `out`, which is zero and as long as the layout says. */
function encodeChunk(
  values: Float32Array,
  selected: number,
  layout: ChunkLayout,
  out: Uint8Array,
  scratch: EncoderScratch,
): void {
  const { count, lowBits, highOffset, lowOffset, signOffset, magnitudeOffset } = layout;
  const levels = computeLevels(values, selected, count, scratch);
  const kept = dropLevelZero(values, selected, levels, scratch);
  const isTwoLevel = levels.high > levels.low;
  out[0] = levels.low & 0xff;
  out[1] = levels.low >>> 8;
  out[2] = levels.high & 0xff;
  out[3] = levels.high >>> 8;

  const lowMask = (1 << lowBits) - 1;
  let fillers = count - kept;
  let next = 0;
  let lowBuffer = 0;
  let lowBuffered = 0;
  let lowCursor = lowOffset;
  for (let i = 0, taken = 0; i < count; i++) {
    let index = next;
    if (fillers > 0 && (taken === kept || scratch.selected[taken]! > next)) {
      // §canonical: an element at level zero takes the lowest index that nobody else uses, and sign 0.
      fillers--;
    } else {
      index = scratch.selected[taken++]!;
      const value = values[index]!;
      if (value < 0) out[signOffset + (i >>> 3)]! |= 1 << (i & 7);
      if (isTwoLevel && Math.abs(value) > levels.threshold) out[magnitudeOffset + (i >>> 3)]! |= 1 << (i & 7);
    }
    next = index + 1;
    const position = (index >>> lowBits) + i;
    out[highOffset + (position >>> 3)]! |= 1 << (position & 7);
    lowBuffer |= (index & lowMask) << lowBuffered;
    lowBuffered += lowBits;
    for (; lowBuffered >= 8; lowBuffered -= 8, lowBuffer >>>= 8) out[lowCursor++] = lowBuffer & 0xff;
  }
  if (lowBuffered > 0) out[lowCursor] = lowBuffer;
}

function refuseNonFinite(values: Float32Array): TapestryError {
  const index = values.findIndex((value) => !Number.isFinite(value));
  return new TapestryError(
    'compressor-not-finite',
    `Compressor: every value must be a finite number; value ${index} of ${values.length} is ${values[index]}.`,
    'Training has diverged: lower the learning rate or start again from the last base.',
    { index, length: values.length },
  );
}

/**
 * Encodes a vector as a TPU1 body. Chunks follow each other in order; the same values always give the same bytes.
 *
 * @param values N float32 values, all finite, 1 ≤ N < 2^32; not modified
 * @returns exactly `computeBodyLength(values.length, shape)` bytes
 * @throws {TapestryError} `compressor-not-finite` on NaN or infinity, `compressor-shape` if the shape is out of range
 * @see spec/compressor.md
 */
export function encodeBody(values: Float32Array, shape: CompressorShape): Uint8Array {
  const layout = computeBodyLayout(values.length, shape);
  const body = new Uint8Array(layout.byteLength);
  const float = new Float32Array(1);
  const scratch: EncoderScratch = {
    selection: createSelectionScratch(shape.chunkLength),
    selected: new Uint32Array(shape.topK),
    float,
    floatBits: new Uint32Array(float.buffer),
  };
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let chunk = 0, offset = 0; chunk < layout.chunks; chunk++) {
    const chunkLayout = chunk === layout.chunks - 1 ? layout.last : layout.full;
    const from = chunk * shape.chunkLength;
    const to = from + chunkLayout.length;
    const selected = selectTop(bits.subarray(from, to), chunkLayout.count, scratch.selected, scratch.selection);
    if (selected < 0) throw refuseNonFinite(values);
    const out = body.subarray(offset, offset + chunkLayout.byteLength);
    encodeChunk(values.subarray(from, to), selected, chunkLayout, out, scratch);
    offset += chunkLayout.byteLength;
  }
  return body;
}
