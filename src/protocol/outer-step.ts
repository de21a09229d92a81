/**
 * The next base from the base and the included contributions, bit for bit the same on every peer: float64 sums in a
 * fixed order, one rounding to float32. Runs in pieces, so that the caller can do other things in between.
 * spec/aggregation.md#outer-step
 *
 * N = parameters, P = contributions, θ = base, g = aggregate, α = outer learning rate
 */
import assert from 'node:assert/strict';
import type { Share } from './aggregate.ts';
import { clipScale, isClip, isWeight, weightScale } from './aggregate.ts';
import type { DecodedBody } from './compressor/index.ts';
import type { Checked } from './outcome.ts';
import { accept, reject } from './outcome.ts';

/** An included contribution with what it counts. */
export interface OuterContribution extends Share {
  readonly body: DecodedBody;
}

/** Plain descent: θ − α·g. */
export interface SgdConfig {
  readonly optimizer: 'sgd';
  /** α, finite, ≥ 0: the float64 nearest to the manifest's decimal */
  readonly learningRate: number;
}

/** The outer optimiser and its numbers, from the manifest. */
export type OuterStepConfig = SgdConfig;

/** Turns the aggregate into the next base. Later optimisers keep their moments inside. */
export interface OuterOptimizer {
  /**
   * Writes `next[from + j]` for every j of `aggregate`.
   *
   * @param aggregate g of the range, float64
   */
  apply(base: Float32Array, aggregate: Float64Array, from: number, next: Float32Array): void;
}

/** θ' = fround(θ − α·g). spec/aggregation.md#outer-step */
export function createSgd(learningRate: number): OuterOptimizer {
  assert(Number.isFinite(learningRate) && learningRate >= 0, 'the outer learning rate is finite and not negative');
  return {
    apply(base, aggregate, from, next) {
      for (let j = 0; j < aggregate.length; j++) {
        next[from + j] = Math.fround(base[from + j]! - learningRate * aggregate[j]!);
      }
    },
  };
}

/** The first position in a strictly increasing list whose value is at least `bound`. */
function findFirst(indices: Uint32Array, bound: number): number {
  let from = 0;
  let to = indices.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (indices[middle]! < bound) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * The aggregate over a range of the vector: g[i] = Σ (weight·clip / 2^46)·u[i].
 *
 * @param contributions P contributions, sorted by (member id, key); the sum runs in this order
 * @param from first index
 * @param to index after the last
 * @returns to − from float64 values; an index that nobody sends is 0
 * @see spec/aggregation.md#outer-step
 */
export function computeAggregate(contributions: readonly OuterContribution[], from: number, to: number): Float64Array {
  const aggregate = new Float64Array(to - from);
  for (const { body, weight, clip } of contributions) {
    assert(isWeight(weight) && isClip(clip), 'weights are whole from 0 to 2^30, clips whole from 0 to 2^16');
    const factor = (weight * clip) / (weightScale * clipScale);
    const { indices, values } = body;
    const end = findFirst(indices, to);
    for (let i = findFirst(indices, from); i < end; i++) aggregate[indices[i]! - from]! += factor * values[i]!;
  }
  return aggregate;
}

/** An outer step under way. */
export interface OuterStep {
  /** N */
  readonly length: number;
  /**
   * Computes the values from `from` to before `to`. Ranges may come in any order; each index needs to be covered once.
   *
   * @returns a refusal `non-finite`, with the index, if a value leaves the range of float32
   */
  run(from: number, to: number): Checked<void>;
  /** The next base: complete once every index was covered. */
  readonly next: Float32Array;
}

/**
 * Prepares an outer step, to be run range by range. The ranges do not change the result.
 *
 * @param base θ, N values, finite; not modified
 * @param contributions sorted by (member id, key), bodies over N values
 * @param config outer optimiser of the manifest
 * @see spec/aggregation.md#outer-step
 */
export function createOuterStep(
  base: Float32Array,
  contributions: readonly OuterContribution[],
  config: OuterStepConfig,
): OuterStep {
  for (const { body } of contributions) assert.equal(body.length, base.length, 'every body is as long as the base');
  const optimizer = createSgd(config.learningRate);
  const next = new Float32Array(base.length);
  return {
    length: base.length,
    next,
    run(from, to) {
      optimizer.apply(base, computeAggregate(contributions, from, to), from, next);
      for (let i = from; i < to; i++) if (!Number.isFinite(next[i]!)) return reject('non-finite', { index: i });
      return accept(undefined);
    },
  };
}

/** Values of one range: the sums of a range stay in the cache. */
const rangeLength = 1 << 16;

/**
 * The next base, in one go.
 *
 * @param base θ, N values, finite; not modified
 * @param contributions sorted by (member id, key), bodies over N values
 * @param config outer optimiser of the manifest
 * @returns N values, or a refusal `non-finite` with the first index that leaves the range of float32
 * @see spec/aggregation.md#outer-step
 */
export function computeNextBase(
  base: Float32Array,
  contributions: readonly OuterContribution[],
  config: OuterStepConfig,
): Checked<Float32Array> {
  const step = createOuterStep(base, contributions, config);
  for (let from = 0; from < step.length; from += rangeLength) {
    const checked = step.run(from, Math.min(from + rangeLength, step.length));
    if (checked.outcome === 'reject') return checked;
  }
  return accept(step.next);
}
