/**
 * What compression leaves out of one round is kept and added to the next. Pure functions over one vector of float32;
 * who calls them, when, and what is stored is the peer's business. spec/compressor.md#error-feedback
 *
 * N = length of the flat vector, e = error feedback, Δ = pseudo-gradient, β = decay
 */
import type { DecodedBody } from './compressor/index.ts';
import { subtractBody } from './compressor/index.ts';

/**
 * How a contribution ended for the peer that made it.
 * `capped` = included with weight 0, `unnamed` = not in the certified value. spec/compressor.md#error-feedback
 */
export type ContributionFate =
  | 'included'
  | 'unavailable'
  | 'late'
  | 'capped'
  | 'unnamed'
  | 'gate'
  | 'malformed'
  | 'equivocated';

/**
 * e ← fround(β·e) + Δ: both steps round to float32.
 *
 * @param errorFeedback e after the last certificate, N values; null = none yet, which counts as zero
 * @param pseudoGradient Δ, N values
 * @param decay β, 0 … 1
 * @returns a new vector of N values: what is to be encoded, and what `resolveErrorFeedback` starts from
 * @throws {RangeError} if the lengths differ or the decay is out of range
 * @see spec/compressor.md#error-feedback
 */
export function accumulateErrorFeedback(
  errorFeedback: Float32Array | null,
  pseudoGradient: Float32Array,
  decay: number,
): Float32Array {
  if (!(decay >= 0 && decay <= 1)) throw new RangeError(`The decay must be from 0 to 1; found ${decay}.`);
  if (errorFeedback === null) return pseudoGradient.slice();
  const length = pseudoGradient.length;
  if (errorFeedback.length !== length) {
    throw new RangeError(`The error feedback has ${errorFeedback.length} values, the pseudo-gradient ${length}.`);
  }
  const accumulated = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    accumulated[i] = Math.fround(decay * errorFeedback[i]!) + pseudoGradient[i]!;
  }
  return accumulated;
}

/**
 * The error feedback after a certificate; called exactly once for each.
 * Included: what was sent is subtracted. Not used through no fault of its own: everything stays, so that the next
 * round sends it. Refused: forgotten, so that what was refused does not come back.
 *
 * @param accumulated the vector that was encoded, N values; not modified
 * @param body what was sent of it
 * @param fate how the contribution ended
 * @returns N values; a new vector, or `accumulated` itself where nothing was used
 * @throws {RangeError} if the lengths differ
 * @see spec/compressor.md#error-feedback
 */
export function resolveErrorFeedback(
  accumulated: Float32Array,
  body: DecodedBody | null,
  fate: ContributionFate,
): Float32Array {
  switch (fate) {
    case 'included': {
      if (body === null) throw new RangeError('An included contribution needs its body to be subtracted; found none.');
      const residual = accumulated.slice();
      subtractBody(residual, body);
      return residual;
    }
    case 'unavailable':
    case 'late':
    case 'capped':
    case 'unnamed':
      return accumulated;
    case 'gate':
    case 'malformed':
    case 'equivocated':
      return new Float32Array(accumulated.length);
  }
}
