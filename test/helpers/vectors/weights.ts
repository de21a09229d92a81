/** Runs vectors of the format `weights`: included contributions to equal weights. */

import type { AggregationEntry } from '../../../src/protocol/aggregate.ts';
import { computeEqualWeights } from '../../../src/protocol/aggregate.ts';
import type { VectorRunner } from './data.ts';

/** Entries and the weight of each. */
export interface WeightsVector {
  readonly name: string;
  readonly openSharePermille: number;
  readonly entries: readonly AggregationEntry[];
  readonly weights: readonly number[];
}

export const run: VectorRunner = (t, vector) => {
  const { entries, openSharePermille, weights } = vector as WeightsVector;
  t.deepEqual(computeEqualWeights(entries, { openSharePermille }), [...weights]);
};
