/**
 * Keeps a peer's disk from filling: knows what every certified round takes, which old bases are kept, and removes the
 * oldest segments. What to remove is decided in `plan-retention.ts`. A power cut at any moment leaves a folder that
 * holds and is tidied further at the next turn. spec/round.md#retention
 */
import { setImmediate } from 'node:timers/promises';
import type { Value } from '../protocol/value.ts';
import type { ChainKeeper } from './chain-keeper.ts';
import { isCheckpointDue, type KeptRound, planRetention, type RetentionLimits } from './plan-retention.ts';
import type { BlobStore } from './storage/blob-store.ts';
import type { Store } from './storage/store.ts';

/** Bases kept on the disk to serve to others: the one in use and some before it. */
export const recentBases = 4;

const metaName = 'keptFrom';
/** Rounds whose rows are removed in one transaction. */
const roundsAtOnce = 64;

/** What the keeper works with. */
export interface RetentionComponents {
  readonly chain: Pick<ChainKeeper, 'state' | 'getValue'>;
  readonly store: Store;
  readonly blobs: BlobStore;
  /** bytes of one body */
  readonly bodyBytes: number;
  /** rounds whose messages are answered for by hash: `round.memory` of the manifest */
  readonly memory: number;
  /** roots of the blobs that the manifest names: they stay */
  readonly founding: readonly string[];
  /** roots of bodies of the round that is being played */
  readonly bodiesInUse: () => readonly string[];
}

/** Knows what of the past is on the disk, and removes what is too old. */
export class RetentionKeeper {
  readonly #components: RetentionComponents;
  readonly #limits: RetentionLimits;
  /** bytes of each round from `#keptFrom` on */
  readonly #sizes: Map<number, number> = new Map();
  /** roots of old bases that are on the disk, by the first round that starts from them, ascending */
  readonly #bases: Map<number, string> = new Map();
  /** blobs that were there at the start */
  readonly #present: ReadonlySet<string>;
  #keptFrom: number;
  #rowsFrom = 0;
  /** bases of rounds before it have been looked for; null before the first look */
  #lookedUntil: number | null = null;
  #sizedUntil = 0;

  constructor(components: RetentionComponents, limits: RetentionLimits) {
    this.#components = components;
    this.#limits = limits;
    this.#present = new Set(components.blobs.list());
    this.#keptFrom = Number(components.store.getMeta(metaName) ?? 1);
  }

  /** Takes in a value of the stored chain, oldest first, while the peer is made. */
  learn({ round, base }: Value): void {
    if (round >= this.#keptFrom) this.#noteBase(round, base, this.#present.has(base));
  }

  /** The first round whose bodies and messages are kept. */
  get keptFrom(): number {
    return this.#keptFrom;
  }

  /** Takes in which bodies a round has; before they are fetched, where it is about to be recomputed. */
  noteBodies(round: number, roots: readonly string[]): void {
    this.#components.store.putBodies(round, roots);
  }

  /** Whether a base that could be computed again is kept all the same. `round`: the first that starts from it */
  keepsBase(round: number, root: string): boolean {
    const startsKept = round === this.#keptFrom && round > 1;
    if (startsKept || this.#components.founding.includes(root)) return true;
    const last = [...this.#bases.keys()].findLast((other) => other < round) ?? this.#keptFrom;
    let bytes = 0;
    for (let at = last; at < round; at++) bytes += this.#sizes.get(at) ?? 0;
    return isCheckpointDue(bytes, this.#limits);
  }

  /** Looks at what there is, and removes the oldest segments if it is too much. */
  async tidy(signal: AbortSignal): Promise<void> {
    const { chain, store } = this.#components;
    const { round } = chain.state;
    const recentFrom = round - recentBases + 1;
    this.#look(round);
    const rounds: KeptRound[] = [];
    for (let at = this.#keptFrom; at < round; at++) {
      rounds.push({ round: at, bytes: this.#sizes.get(at) ?? 0, hasBase: this.#hasBase(at, recentFrom) });
    }
    const first = rounds.length === 0 ? this.#keptFrom : planRetention(rounds, recentFrom, this.#limits);
    if (first > this.#keptFrom) {
      await this.#removeBlobs(first, signal);
      if (signal.aborted) return;
      store.setMeta(metaName, String(first));
      this.#forget(first);
    }
    // The names of bodies are in the rows, so the rows go last; and messages of the last rounds are still asked for.
    const last = Math.min(this.#keptFrom, round - this.#components.memory);
    for (let from = this.#rowsFrom; from < last && !signal.aborted; from += roundsAtOnce) {
      this.#rowsFrom = Math.min(last, from + roundsAtOnce);
      store.forgetRounds(this.#rowsFrom);
      await setImmediate();
    }
  }

  /** Takes in rounds that were certified since the last time, and old bases that stayed. */
  #look(round: number): void {
    const { chain, store, blobs, bodyBytes } = this.#components;
    for (const { round: at, bodies, rowBytes } of store.roundSizes(Math.max(this.#keptFrom, this.#sizedUntil))) {
      this.#sizes.set(at, bodies * bodyBytes + rowBytes);
    }
    this.#sizedUntil = round - 1;
    const old = Math.max(this.#keptFrom, round - recentBases + 1);
    // What was learned at the start of bases that were recent then may be out of date.
    const from = this.#lookedUntil ?? Math.max(this.#keptFrom, old - recentBases);
    for (const at of this.#bases.keys()) {
      if (at >= from) this.#bases.delete(at);
    }
    for (let at = from; at < old; at++) {
      const root = chain.getValue(at)?.base;
      if (root !== undefined) this.#noteBase(at, root, blobs.has(root));
    }
    this.#lookedUntil = old;
  }

  #noteBase(round: number, root: string, isHere: boolean): void {
    // Rounds in which nothing changed start from one base; the first of them stands for it.
    const isKnown = [...this.#bases.values()].at(-1) === root;
    if (isHere && !isKnown && !this.#components.founding.includes(root)) this.#bases.set(round, root);
  }

  #hasBase(round: number, recentFrom: number): boolean {
    const { chain, blobs } = this.#components;
    if (round !== recentFrom) return this.#bases.has(round);
    const value = chain.getValue(round);
    return value !== null && blobs.has(value.base);
  }

  /** Bodies and bases that no round from `first` on needs. Oldest first: what can be recomputed stays without a hole. */
  async #removeBlobs(first: number, signal: AbortSignal): Promise<void> {
    const { store, blobs, bodiesInUse } = this.#components;
    const needed = new Set(this.#basesFrom(first));
    for (let from = this.#keptFrom; from < first; from += roundsAtOnce) {
      const before = Math.min(first, from + roundsAtOnce);
      const bases = [...this.#bases].filter(([at, root]) => from <= at && at < before && !needed.has(root));
      for (const [, root] of bases) blobs.delete(root);
      for (const root of store.bodiesOf(from, before)) {
        // Asked and done in one turn of the loop: a body that is revealed again meanwhile is not pulled from under it.
        if (!store.needsBody(root, first) && !bodiesInUse().includes(root)) blobs.delete(root);
      }
      await setImmediate();
      if (signal.aborted) return;
    }
  }

  /** Roots of the bases that rounds from `first` on start from. */
  #basesFrom(first: number): string[] {
    const { chain, founding } = this.#components;
    const { round, base } = chain.state;
    const recent = Array.from({ length: recentBases }, (_, back) => chain.getValue(round - back)?.base ?? base);
    const kept = [...this.#bases].filter(([at]) => at >= first).map(([, root]) => root);
    return [...founding, ...recent, ...kept, chain.getValue(first)?.base ?? base];
  }

  #forget(first: number): void {
    this.#keptFrom = first;
    for (const known of [this.#sizes, this.#bases]) {
      for (const at of known.keys()) {
        if (at < first) known.delete(at);
      }
    }
  }
}
