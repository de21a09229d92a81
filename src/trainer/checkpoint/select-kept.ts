/** Which checkpoints of a run stay on the disk. Pure. spec/checkpoints.md#what-is-kept */

/** What to keep. A checkpoint stays if any of the rules names it. */
export interface KeepPolicy {
  /** the newest ones */
  readonly last: number;
  /** milestones: the first checkpoint of every `every` steps, or of every doubling of the steps */
  readonly every: number | 'doubling';
  /** step of the best one, or null if none was measured */
  readonly best: number | null;
}

/** The last 3, the first of every doubling, and the best. */
export const defaultKeepPolicy: Omit<KeepPolicy, 'best'> = { last: 3, every: 'doubling' };

/**
 * The checkpoints that stay. What is kept once as a milestone is kept for ever, whatever was deleted in between.
 * @param steps of the checkpoints that are there, in any order, each once
 * @returns those to keep, ascending
 */
export function selectKept(steps: readonly number[], policy: KeepPolicy): number[] {
  const ascending = steps.toSorted((a, b) => a - b);
  const kept = new Set(ascending.slice(Math.max(0, ascending.length - policy.last)));
  if (policy.best !== null) kept.add(policy.best);
  const begun = new Set<number>();
  for (const step of ascending) {
    const stretch = policy.every === 'doubling' ? countDoublings(step) : Math.floor(step / policy.every);
    if (!begun.has(stretch)) kept.add(step);
    begun.add(stretch);
  }
  return ascending.filter((step) => kept.has(step));
}

/** ⌊log₂ step⌋, exactly; −1 for 0. */
function countDoublings(step: number): number {
  let doublings = -1;
  for (let reached = 1; reached <= step; reached *= 2) doublings++;
  return doublings;
}
