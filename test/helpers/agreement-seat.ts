/** Voter 0 of four in an agreement by itself: what it is told goes in by hand, what it says comes out as text. */
import { createTestRules, madeUp, signStandIn } from '../../simulations/round-node.ts';
import type { PrecommitMessage, PrevoteMessage, ProposalMessage } from '../../src/protocol/messages.ts';
import { Agreement, type AgreementState, initialAgreementState } from '../../src/protocol/round/agreement.ts';

/** Rules of the four. */
export const rules: ReturnType<typeof createTestRules> = createTestRules(4);
/** Two values that may be proposed. */
export const a: string = madeUp('value a');
export const b: string = madeUp('value b');

/** How a seat is set up. */
export interface SeatOptions {
  readonly self?: number | null;
  readonly state?: AgreementState;
  /** who proposes in view 0, 1, 2, …; 1, 2, 3, 0, 1, … unless told */
  readonly proposers?: readonly number[];
}

/** Voter 0 in an agreement, with everything it says. */
export class Seat {
  /** 'prevote 0 a', 'precommit 1 nil', 'propose 2 b after 1' */
  readonly said: string[] = [];
  readonly agreement: Agreement;
  readonly judgements: Map<string, boolean | null> = new Map();
  readonly absent: Set<number> = new Set();
  /** the value it would propose */
  own: string | null = a;
  nowMs = 0;

  constructor({ self = 0, state = initialAgreementState, proposers = [] }: SeatOptions = {}) {
    const proposerOf = (view: number): number => proposers[view] ?? (view + 1) % 4;
    const say = (text: string): void => {
      this.said.push(text);
    };
    this.agreement = new Agreement(
      {
        isValid: (value) => this.judgements.get(value) ?? (this.judgements.has(value) ? null : true),
        getValue: () => this.own,
        isExpected: (voter) => !this.absent.has(voter),
        propose: (view, value, validView) => {
          say(`propose ${view} ${name(value)} after ${validView}`);
          this.proposal(view, value, { validView, voter: 0 });
        },
        prevote: (view, value) => {
          say(`prevote ${view} ${name(value)}`);
          this.ballots('prevote', view, value, 0);
        },
        precommit: (view, value) => {
          say(`precommit ${view} ${name(value)}`);
          this.ballots('precommit', view, value, 0);
        },
      },
      { quorum: 3, faultBound: 1, self, proposerOf, timeouts: rules.round, state },
    );
  }

  start(view = 0): this {
    this.agreement.startView(view, this.nowMs);
    return this.advance();
  }

  /** Lets time pass and applies every rule that holds. */
  advance(ms = 0): this {
    this.nowMs += ms;
    while (this.agreement.advance(this.nowMs)) {}
    return this;
  }

  proposal(
    view: number,
    value: string,
    { validView = -1, voter = (view + 1) % 4 }: { validView?: number; voter?: number } = {},
  ): this {
    const message = { ...header(voter), type: 'proposal', view, validView, value: new Uint8Array() } as const;
    this.agreement.addProposal(voter, message as ProposalMessage, value);
    return this;
  }

  ballots(type: 'prevote' | 'precommit', view: number, value: string | null, ...voters: number[]): this {
    for (const voter of voters) {
      const message = { ...header(voter), type, view, value } as PrevoteMessage | PrecommitMessage;
      this.agreement.addBallot(voter, signStandIn(message) as Parameters<Agreement['addBallot']>[1]);
    }
    return this;
  }

  /** What was said since the last call. */
  heard(): string[] {
    return this.said.splice(0);
  }
}

function name(value: string | null): string {
  return value === null ? 'nil' : value === a ? 'a' : 'b';
}

function header(voter: number): { version: 1; network: string; round: number; key: string } {
  return { version: 1, network: rules.network, round: 1, key: rules.voters[voter]!.key };
}
