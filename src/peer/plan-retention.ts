/**
 * What of the past stays on a peer's disk: a pure decision over sizes. The doing is in `retention-keeper.ts`.
 * spec/round.md#retention
 *
 * A segment is a run of rounds that begins with a base that is kept, so that everything in it can be recomputed from
 * there without what came before.
 */

/** One certified round as it lies on the disk. */
export interface KeptRound {
  readonly round: number;
  /** bodies and messages */
  readonly bytes: number;
  /** the base that it starts from is on the disk */
  readonly hasBase: boolean;
}

/** What the decision rests on besides the rounds. */
export interface RetentionLimits {
  /** bytes that old rounds may take; see `planRetention` for what is never given up */
  readonly keepBytes: number;
  /** bytes of one base */
  readonly baseBytes: number;
}

/** A base is a small part of what it starts: an eighth. */
const basesOfSegment = 8;
/** Segments are small enough that giving up one leaves most of what may be kept. */
const segmentsKept = 4;

/**
 * Whether a base that is about to be removed is kept instead, to start a segment: when what came since the last one
 * weighs as much as eight bases, or as a quarter of what may be kept, whichever is less, and at least as one base.
 * @param bytesSince bytes of the rounds since the last base that is kept
 */
export function isCheckpointDue(bytesSince: number, { keepBytes, baseBytes }: RetentionLimits): boolean {
  return bytesSince >= Math.max(baseBytes, Math.min(basesOfSegment * baseBytes, keepBytes / segmentsKept));
}

/**
 * The first round to keep: the oldest start from which everything fits into `keepBytes`. Where not even the last start
 * fits, that one: the rounds from `recentFrom` on are never given up.
 * @param rounds without gaps, ascending, not empty; those before the first are gone already
 * @param recentFrom bases from this round on are on the disk for other reasons and do not count
 */
export function planRetention(rounds: readonly KeptRound[], recentFrom: number, limits: RetentionLimits): number {
  let first = rounds[0]!.round;
  let total = rounds.reduce((sum, round) => sum + weigh(round, recentFrom, limits), 0);
  let sinceFirst = 0;
  for (const round of rounds) {
    if (total <= limits.keepBytes || round.round > recentFrom) break;
    if (round.hasBase && round.round > first) {
      first = round.round;
      total -= sinceFirst;
      sinceFirst = 0;
      if (total <= limits.keepBytes) break;
    }
    sinceFirst += weigh(round, recentFrom, limits);
  }
  return first;
}

function weigh({ round, bytes, hasBase }: KeptRound, recentFrom: number, { baseBytes }: RetentionLimits): number {
  return bytes + (hasBase && round < recentFrom ? baseBytes : 0);
}
