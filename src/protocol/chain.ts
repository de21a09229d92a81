/**
 * The state that certified values carry from round to round, and how a value advances it. Everything here is a pure
 * function of the manifest and the values, so every peer that follows the chain holds the same. spec/round.md#state
 *
 * n = voters, K = round.memory
 */
import type { Beacon } from './beacon.ts';
import { encodeCanonical } from './codec.ts';
import type { Voter } from './election.ts';
import { computeHash } from './hash.ts';
import { toHex } from './hex.ts';
import type { RoundRules } from './manifest.ts';
import type { Value } from './value.ts';

/** Where the chain stands: everything a peer must know to run `round`. */
export interface ChainState {
  /** the round that is to be run, from 1 */
  readonly round: number;
  /** root of θ_round */
  readonly base: string;
  /** hash of value round − 1; the network id before round 1 */
  readonly previous: string;
  /** B_{round − 1} */
  readonly beacon: string;
  /** train deadline of `round`, milliseconds */
  readonly trainDeadlineMs: number;
  /** last round that included a contribution of each voter, −1 for none */
  readonly lastIncluded: readonly number[];
  /** last round in whose evidence or precommit set each voter is known to have signed, −1 for none */
  readonly lastSigned: readonly number[];
}

/** The part of the manifest and of the code that decides how the chain advances. */
export interface ChainRules {
  readonly network: string;
  readonly voters: readonly Voter[];
  readonly round: RoundRules;
  readonly openSharePermille: number;
  readonly beacon: Beacon;
}

/** The state before round 1. `base` is the root of θ_1, which follows from the manifest's seed. */
export function createChainState(rules: ChainRules, base: string): ChainState {
  const none = rules.voters.map(() => -1);
  return {
    round: 1,
    base,
    previous: rules.network,
    beacon: rules.beacon.genesis(rules.network),
    trainDeadlineMs: rules.round.trainDeadlineMs,
    lastIncluded: none,
    lastSigned: none,
  };
}

/**
 * The train deadline after a round. E = voters included in any of the last K values, this one counted: fewer than
 * ⌈2|E|/3⌉ of them in this value, or none, doubles it; all of them shortens it to 7/8; clamped to the manifest's bounds.
 */
export function computeTrainDeadline(
  rules: RoundRules,
  deadlineMs: number,
  lastIncluded: readonly number[],
  round: number,
): number {
  const recent = lastIncluded.filter((last) => last >= 1 && last > round - rules.memory).length;
  const now = lastIncluded.filter((last) => last === round).length;
  let next = deadlineMs;
  if (now === 0 || now < Math.ceil((2 * recent) / 3)) {
    next = deadlineMs * 2;
  } else if (now === recent) {
    next = Math.floor((deadlineMs * 7) / 8);
  }
  return Math.min(Math.max(next, rules.minTrainDeadlineMs), rules.maxTrainDeadlineMs);
}

/** Who took part in a round, as voter indices. */
export interface Participation {
  /** voters with an included contribution */
  readonly included: readonly number[];
  /** voters whose vote is in the evidence */
  readonly voted: readonly number[];
  /** voters in the precommit set of the round before */
  readonly precommitted: readonly number[];
}

/** The counters that later rounds depend on: what `Value.state` is the root of. */
export type ChainCounters = Pick<ChainState, 'trainDeadlineMs' | 'lastIncluded' | 'lastSigned'>;

/** Reads off a value who took part; open trainers have no index and are not counted. */
export function getParticipation(
  voters: readonly Voter[],
  value: Pick<Value, 'contributions' | 'evidence' | 'precommits'>,
): Participation {
  const keys = voters.map((voter) => voter.key);
  return {
    included: value.contributions
      .filter((entry) => entry.outcome === 'included')
      .map((entry) => keys.indexOf(entry.key ?? ''))
      .filter((voter) => voter >= 0),
    voted: value.evidence.map((entry) => entry.voter),
    precommitted: value.precommits.map((entry) => entry.voter),
  };
}

/** The counters after a round. */
export function computeCounters(rules: ChainRules, state: ChainState, participation: Participation): ChainCounters {
  const { round } = state;
  const lastIncluded = [...state.lastIncluded];
  const lastSigned = [...state.lastSigned];
  for (const voter of participation.included) {
    lastIncluded[voter] = round;
  }
  for (const voter of participation.precommitted) {
    lastSigned[voter] = Math.max(lastSigned[voter]!, round - 1);
  }
  for (const voter of participation.voted) {
    lastSigned[voter] = round;
  }
  const trainDeadlineMs = computeTrainDeadline(rules.round, state.trainDeadlineMs, lastIncluded, round);
  return { trainDeadlineMs, lastIncluded, lastSigned };
}

/** Root over the counters, as `Value.state` names it. */
export function computeStateRoot(counters: ChainCounters): string {
  const { trainDeadlineMs, lastIncluded, lastSigned } = counters;
  return toHex(computeHash('tapestry/state/v1', encodeCanonical({ trainDeadlineMs, lastIncluded, lastSigned })));
}

/** The state after a certified value. */
export function advanceChain(rules: ChainRules, state: ChainState, value: Value, valueHash: string): ChainState {
  return {
    ...computeCounters(rules, state, getParticipation(rules.voters, value)),
    round: state.round + 1,
    base: value.next,
    previous: valueHash,
    beacon: value.beacon,
  };
}
