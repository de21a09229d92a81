/** How many voters may lie and how many must agree. spec/round.md#quorum; checked for n = 1 … 1000 in its test. */

/** f = ⌊(n − 1) / 3⌋: how many of n voters may be faulty. */
export function computeFaultBound(voters: number): number {
  return Math.floor((voters - 1) / 3);
}

/** q = ⌊(n + f) / 2⌋ + 1: any two quorums share more than f voters. n = 1 … 7 gives 1, 2, 2, 3, 4, 4, 5. */
export function computeQuorum(voters: number): number {
  return Math.floor((voters + computeFaultBound(voters)) / 2) + 1;
}
