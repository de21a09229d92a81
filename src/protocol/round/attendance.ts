/**
 * Whom a round waits for: the other voters, less those that were silent in the round before or whose connection is
 * gone, until they are heard. Only patience depends on it, never a decision. spec/round.md#waiting
 */
import type { Voter } from '../election.ts';

/** Keeps the list of one round. Voters are indices in the voter list. */
export class Attendance {
  readonly #voters: readonly Voter[];
  readonly #self: number | null;
  readonly #expected: Set<number>;
  readonly #heard: Set<number> = new Set();

  /**
   * @param quiet keys of voters that are not waited for until they are heard
   * @param self this peer's voter index, or null; nobody waits for himself
   */
  constructor(voters: readonly Voter[], quiet: readonly string[], self: number | null) {
    this.#voters = voters;
    this.#self = self;
    this.#expected = new Set(
      voters.flatMap(({ key }, voter) => (voter === self || quiet.includes(key) ? [] : [voter])),
    );
  }

  /** Voters that are waited for, ascending. */
  get expected(): number[] {
    return [...this.#expected].sort((a, b) => a - b);
  }

  isExpected(voter: number): boolean {
    return this.#expected.has(voter);
  }

  /** Keys of the other voters of which no message came in this round. */
  get silent(): string[] {
    return this.#voters.filter((_, voter) => voter !== this.#self && !this.#heard.has(voter)).map(({ key }) => key);
  }

  /** A message of a voter came. */
  hear(voter: number): void {
    this.#heard.add(voter);
    this.#setExpected(voter, true);
  }

  /** The connection of a voter came or went; keys of others mean nothing. */
  expect(key: string, reachable: boolean): void {
    const voter = this.#voters.findIndex((candidate) => candidate.key === key);
    if (voter >= 0) {
      this.#setExpected(voter, reachable);
    }
  }

  #setExpected(voter: number, expected: boolean): void {
    if (voter !== this.#self && expected) {
      this.#expected.add(voter);
    } else {
      this.#expected.delete(voter);
    }
  }
}
