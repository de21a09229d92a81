/**
 * What goes into the machine of a round and what comes out of it. Types alone. spec/round.md
 */
import type { ChainRules, ChainState } from '../chain.ts';
import type { SignedMessage } from '../envelope.ts';
import type { DeviceKind, Message } from '../messages.ts';
import type { PrecommitSignature, Value, ValueContribution } from '../value.ts';
import type { AgreementState } from './agreement.ts';

/** The parts of a round, in order. */
export type Phase = 'train' | 'commit' | 'reveal' | 'vote' | 'propose' | 'agree';

/** What a peer has to show for its training. */
export interface TrainedWork {
  /** root of the body */
  readonly body: string;
  readonly workRoot: string;
  /** 32 random bytes, hex: nobody can guess the body from the commit */
  readonly salt: string;
  readonly tokens: number;
  readonly device: DeviceKind;
}

/** What must survive a power cut, beside the messages that were sent. */
export interface RoundSnapshot {
  readonly agreement: AgreementState;
  /** bytes of the locked and the valid value */
  readonly values: readonly Uint8Array[];
  /** hashes of the commits that came in time */
  readonly acceptedCommits: readonly string[];
}

/** What a restarted peer brings along. */
export interface RestoredRound {
  readonly snapshot: RoundSnapshot | null;
  /** its own messages and others' that it kept */
  readonly messages: readonly SignedMessage[];
}

/** What a round rests on. */
export interface RoundInit {
  readonly rules: ChainRules;
  readonly state: ChainState;
  /** this peer's key, hex */
  readonly self: string;
  readonly innerSteps: number;
  /** the certificate of the round before, as far as a value quotes it */
  readonly previous: { readonly precommitView: number; readonly precommits: readonly PrecommitSignature[] };
  readonly startedAtMs: number;
  /** voters that are not waited for until they are heard */
  readonly quiet: readonly string[];
  /** keys of trainers that said they train in the round before and did not commit: they get no grace in this one */
  readonly unreliableTrainers: readonly string[];
  readonly restored: RestoredRound | null;
  /** signs with this peer's key; the machine never asks twice for one slot */
  readonly sign: (message: Message) => SignedMessage;
  readonly isPreviousCertified: (value: Value) => boolean;
}

/** What happened outside. */
export type RoundEvent =
  | { readonly type: 'tick' }
  | { readonly type: 'trained'; readonly work: TrainedWork }
  | { readonly type: 'body'; readonly contribution: string; readonly state: 'held' | 'invalid' }
  | { readonly type: 'computed'; readonly id: string; readonly next: string }
  | { readonly type: 'reachable'; readonly key: string; readonly reachable: boolean };

/** What is to be done outside. Everything sent must be durable first, with `snapshot`. */
export type RoundOutput =
  | { readonly type: 'send'; readonly signed: SignedMessage }
  | { readonly type: 'fetch-message'; readonly hash: string }
  | { readonly type: 'fetch-body'; readonly contribution: string; readonly body: string }
  | { readonly type: 'compute'; readonly id: string; readonly contributions: readonly ValueContribution[] }
  | { readonly type: 'equivocation'; readonly first: SignedMessage; readonly second: SignedMessage }
  | { readonly type: 'value-refused'; readonly hash: string; readonly reason: string }
  | { readonly type: 'phase'; readonly phase: Phase }
  | {
      readonly type: 'decided';
      readonly value: Uint8Array;
      readonly hash: string;
      readonly view: number;
      readonly precommits: readonly PrecommitSignature[];
    };
