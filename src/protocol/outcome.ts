/** What a check of somebody else's bytes comes to: data, never an exception. */

/** Facts that go with a refusal: expected and found values, ids, sizes. */
export type OutcomeFacts = Readonly<Record<string, string | number | bigint | boolean | null>>;

/** The bytes are good; `value` is what they say. */
export interface Accepted<T> {
  readonly outcome: 'accept';
  readonly value: T;
}

/** The bytes break a rule; the sender is at fault. `reason` is stable and kebab-case. */
export interface Rejected {
  readonly outcome: 'reject';
  readonly reason: string;
  readonly facts: OutcomeFacts;
}

/** Not wrong, but of no use here: known already, too old, too early. Not forwarded, nobody is blamed. */
export interface Ignored {
  readonly outcome: 'ignore';
  readonly reason: string;
  readonly facts: OutcomeFacts;
}

/** Result of a strict check of bytes. */
export type Checked<T> = Accepted<T> | Rejected;

/** Result of a gossip validation. */
export type GossipOutcome<T = void> = Accepted<T> | Rejected | Ignored;

/** Accepts `value`. */
export function accept<T>(value: T): Accepted<T> {
  return { outcome: 'accept', value };
}

/** Rejects for `reason`, with the facts that show why. */
export function reject(reason: string, facts: OutcomeFacts = {}): Rejected {
  return { outcome: 'reject', reason, facts };
}

/** Ignores for `reason`. */
export function ignore(reason: string, facts: OutcomeFacts = {}): Ignored {
  return { outcome: 'ignore', reason, facts };
}
