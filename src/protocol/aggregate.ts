/**
 * How much each included contribution counts: whole numbers, the same on every peer. The sum itself is in
 * `outer-step.ts`. spec/aggregation.md#weights
 *
 * M = certified members with an included contribution, T = included contributions of uncertified trainers
 */
import assert from 'node:assert/strict';
import type { DecodedBody } from './compressor/index.ts';

/** The weight that stands for 1: all weights of a round sum to at most this. */
export const weightScale: number = 2 ** 30;

/** The clip that stands for 1, that is, not clipped. */
export const clipScale: number = 2 ** 16;

/** An included contribution, as far as equal weights need to know it. */
export interface AggregationEntry {
  /** the peer's key, unique among the entries */
  readonly key: string;
  /** the certified member it trains for; null = an uncertified trainer */
  readonly member: string | null;
}

/** An included contribution with its body: what any rule may look at. */
export interface AggregationInput extends AggregationEntry {
  readonly body: DecodedBody;
}

/** What the manifest says about weights. */
export interface AggregationConfig {
  /** the most that all uncertified trainers together may weigh, in thousandths, 0 … 1000 */
  readonly openSharePermille: number;
}

/** What a contribution counts: weight 0 … 2^30 and clip 0 … 2^16. Weight 0 has the outcome `capped`. */
export interface Share {
  readonly weight: number;
  readonly clip: number;
}

/** A merge rule: a pure function from the included contributions to their shares, in the same order. */
export interface Aggregator {
  readonly name: string;
  computeShares(inputs: readonly AggregationInput[], config: AggregationConfig): Share[];
}

/** Whether a number is a weight: a whole number from 0 to 2^30. */
export function isWeight(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= weightScale;
}

/** Whether a number is a clip: a whole number from 0 to 2^16. */
export function isClip(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= clipScale;
}

/**
 * Equal weights: every certified member 1, shared by its peers; every uncertified trainer 1; divided by the sum;
 * then the trainers together are cut to the open share. What is cut or floored away stays on the base.
 *
 * @param entries included contributions in any order; their order changes no weight
 * @param config the open share, a whole number of thousandths
 * @returns one weight an entry, in the order of the entries, whole, summing to at most 2^30
 * @see spec/aggregation.md#weights
 */
export function computeEqualWeights(entries: readonly AggregationEntry[], config: AggregationConfig): number[] {
  const { openSharePermille } = config;
  assert(Number.isInteger(openSharePermille) && openSharePermille >= 0 && openSharePermille <= 1000);
  assert.equal(new Set(entries.map((entry) => entry.key)).size, entries.length, 'a key may contribute once a round');
  if (entries.length === 0) return [];
  const peersOf = new Map<string, number>();
  let trainers = 0;
  for (const { member } of entries) {
    if (member === null) trainers++;
    else peersOf.set(member, (peersOf.get(member) ?? 0) + 1);
  }
  const total = peersOf.size + trainers;
  const equal = Math.floor(weightScale / total);
  const openCap = Math.floor((weightScale * openSharePermille) / 1000);
  const trainerWeight = trainers * equal > openCap ? Math.floor(openCap / trainers) : equal;
  return entries.map(({ member }) =>
    member === null ? trainerWeight : Math.floor(weightScale / (total * peersOf.get(member)!)),
  );
}

/** The manifest's rule `mean`: equal weights, nothing clipped. spec/aggregation.md#mean */
export const equalMean: Aggregator = {
  name: 'mean',
  computeShares(inputs, config) {
    return computeEqualWeights(inputs, config).map((weight) => ({ weight, clip: clipScale }));
  },
};
