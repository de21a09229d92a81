/** The counts a peer keeps about itself for `status`; nothing decides by them. */
import { decodeCanonical, encodeCanonical } from '../protocol/codec.ts';
import type { Value } from '../protocol/value.ts';
import type { Evaluation } from '../trainer/trainer-types.ts';
import type { Store } from './storage/store.ts';

interface StoredLosses {
  readonly first: number | null;
  readonly last: number | null;
  readonly own: number | null;
  readonly perKind: Readonly<Record<string, number>>;
}

const noLosses: StoredLosses = { first: null, last: null, own: null, perKind: {} };
const metaName = 'losses';

/** Counts over the life of a peer (losses, contributions) and over this run of it (times). */
export class PeerMetrics {
  readonly #store: Store;
  readonly #self: string;
  #losses: StoredLosses;
  included = 0;
  rejected = 0;
  trainMs = 0;
  roundMs = 0;

  constructor(store: Store, self: string) {
    this.#store = store;
    this.#self = self;
    const bytes = store.getMeta(metaName);
    const data = bytes instanceof Uint8Array ? decodeCanonical(bytes, 65_536) : null;
    this.#losses = data?.outcome === 'accept' ? (data.value as StoredLosses) : noLosses;
  }

  get losses(): StoredLosses {
    return this.#losses;
  }

  /** Counts a certified round; `contributed`: this peer had revealed a contribution in it. */
  countRound(value: Value, contributed: boolean): void {
    const own = value.contributions.some(({ key, outcome }) => key === this.#self && outcome === 'included');
    if (own) {
      this.included++;
    } else if (contributed) {
      this.rejected++;
    }
  }

  /** Adds a finished round's times. Its training counts only as far as it was part of the round. */
  countTime(roundMs: number, trainMs: number): void {
    this.roundMs += roundMs;
    this.trainMs += Math.min(trainMs, roundMs);
  }

  /** Share of the rounds' time that was not spent training, 0 … 1; 0 before the first. */
  get overhead(): number {
    return this.roundMs === 0 ? 0 : 1 - this.trainMs / this.roundMs;
  }

  /** Notes the loss of a base on the shared held-out text. */
  setHeldOut(evaluation: Evaluation): void {
    const perKind = Object.fromEntries(evaluation.perKind.map(({ kind, loss }) => [kind, loss]));
    this.#save({ ...this.#losses, first: this.#losses.first ?? evaluation.mean, last: evaluation.mean, perKind });
  }

  /** Notes the loss on the peer's own validation part, which it tells nobody. */
  setOwn(loss: number): void {
    this.#save({ ...this.#losses, own: loss });
  }

  #save(losses: StoredLosses): void {
    this.#losses = losses;
    this.#store.setMeta(metaName, encodeCanonical(losses));
  }
}
