/**
 * The k largest magnitudes of a chunk without sorting it: the k-th largest is found digit by digit with histograms
 * over the float32 bits, whose order as integers is that of the magnitudes. spec/compressor.md#selection
 *
 * n = elements of the chunk, k = elements wanted
 */

/** Bits below the sign, taken as digits of 11, 10 and 10 bits from the top. */
const signless = 0x7fff_ffff;
const firstShift = 20;
const secondShift = 10;
const lowDigit = 0x3ff;

/** The exponent of infinity and NaN, as a first digit. */
const firstNonFinite = 0x7f8;

/** Working memory of a selection; one per encoder, reused from chunk to chunk. */
export interface SelectionScratch {
  readonly histogram: Uint32Array;
  /** magnitudes that share the digits found so far */
  readonly candidates: Uint32Array;
}

/** Working memory for chunks of up to `chunkLength` elements. */
export function createSelectionScratch(chunkLength: number): SelectionScratch {
  return { histogram: new Uint32Array(2048), candidates: new Uint32Array(chunkLength) };
}

/** The digit that holds the `rank`-th largest value (1 = the largest), and how many lie in digits above it. */
function findDigit(histogram: Uint32Array, rank: number): { digit: number; above: number } {
  let digit = histogram.length - 1;
  let above = 0;
  while (above + histogram[digit]! < rank) above += histogram[digit--]!;
  return { digit, above };
}

/** The k-th largest magnitude as bits, and how many are larger. */
interface Threshold {
  readonly bits: number;
  readonly larger: number;
}

/**
 * Finds the k-th largest magnitude.
 *
 * @param bits float32 bits of the chunk
 * @param count k, 1 … bits.length
 * @returns null if some value is NaN or infinite
 */
function findThreshold(bits: Uint32Array, count: number, scratch: SelectionScratch): Threshold | null {
  const { histogram, candidates } = scratch;
  histogram.fill(0);
  for (let i = 0; i < bits.length; i++) histogram[(bits[i]! & signless) >>> firstShift]!++;
  for (let digit = firstNonFinite; digit < histogram.length; digit++) if (histogram[digit]! > 0) return null;
  const first = findDigit(histogram, count);

  histogram.fill(0);
  let found = 0;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & signless;
    if (magnitude >>> firstShift !== first.digit) continue;
    candidates[found++] = magnitude;
    histogram[(magnitude >>> secondShift) & lowDigit]!++;
  }
  const second = findDigit(histogram, count - first.above);

  histogram.fill(0);
  for (let i = 0; i < found; i++) {
    const magnitude = candidates[i]!;
    if (((magnitude >>> secondShift) & lowDigit) === second.digit) histogram[magnitude & lowDigit]!++;
  }
  const third = findDigit(histogram, count - first.above - second.above);

  return {
    bits: (first.digit << firstShift) | (second.digit << secondShift) | third.digit,
    larger: first.above + second.above + third.above,
  };
}

/**
 * Writes the indices of the k largest magnitudes in ascending order; equal magnitudes go to the lower index.
 * Zeros are never selected, so fewer than k may come out.
 *
 * @param bits float32 bits of the chunk, n elements
 * @param count k, 1 … n
 * @param selected room for k indices
 * @returns how many were written, 0 … k; −1 if some value is NaN or infinite
 * @see spec/compressor.md#selection
 */
export function selectTop(bits: Uint32Array, count: number, selected: Uint32Array, scratch: SelectionScratch): number {
  const threshold = findThreshold(bits, count, scratch);
  if (threshold === null) return -1;
  let ties = threshold.bits === 0 ? 0 : count - threshold.larger;
  let written = 0;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & signless;
    if (magnitude < threshold.bits) continue;
    if (magnitude === threshold.bits && ties-- <= 0) continue;
    selected[written++] = i;
  }
  return written;
}
