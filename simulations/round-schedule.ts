/** Schedules for `round-world.ts` made from a seed, and the judgement of what came of them. */
import type { Fault, Report, Schedule } from './round-world.ts';

const faultKinds: readonly Fault[] = ['silent', 'equivocate', 'twins'];

/** A bad network that heals after eight seconds, three rounds, nobody at fault. */
export const badNetwork: Omit<Schedule, 'voters' | 'seed'> = {
  faults: [],
  rounds: 3,
  loss: 0.3,
  duplicates: 0.2,
  healsAtMs: 8000,
  endsAtMs: 240_000,
};

/**
 * The schedule of a seed: kinds of faults in turn, a partition in every other one.
 * @param faulty how many voters are at fault
 */
export function createSchedule(voters: number, faulty: number, seed: number): Schedule {
  const faults = Array.from({ length: faulty }, (_, index) => faultKinds[(seed + index) % faultKinds.length]!);
  return { ...badNetwork, voters, faults, seed: 1000 * voters + seed, partition: seed % 2 === 0 };
}

/** Rounds for which two honest peers hold different values. */
export function findForks(report: Report): number[] {
  const rounds = Math.max(...report.decided.map((values) => values.length));
  return Array.from({ length: rounds }, (_, round) => round + 1).filter(
    (round) => new Set(report.decided.map((values) => values[round - 1]).filter(Boolean)).size > 1,
  );
}

/** True if every honest peer certified all rounds. */
export function isDone(report: Report, rounds: number): boolean {
  return report.decided.every((values) => values.length >= rounds);
}
