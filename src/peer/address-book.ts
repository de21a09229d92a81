/**
 * Where peers can be reached, and the patience to try again: bootstrap addresses, those other peers told of, and those
 * that worked before a restart. Dials whoever is known and not connected.
 */
import type { Network } from './network/network.ts';
import type { Store } from './storage/store.ts';

/** Most peers that are dialled by themselves; others may still dial in. */
const maxPeers = 64;
const dialTimeoutMs = 5000;
const turnMs = 1000;
const longestPauseMs = 30_000;

/** What the book works with. */
export interface AddressBookComponents {
  readonly network: Pick<Network, 'id' | 'connect' | 'peers'>;
  readonly store: Store;
  readonly nowMs: () => number;
  /** told of an address that failed, with the reason, the first time it fails */
  readonly onFailure: (address: string, error: Error) => void;
}

interface Entry {
  readonly address: string;
  failures: number;
  notBeforeMs: number;
}

/** The peer id at the end of a multiaddr, or null. */
export function getPeerId(address: string): string | null {
  return /\/p2p\/([A-Za-z0-9]+)$/.exec(address)?.[1] ?? null;
}

/** Keeps a peer connected to those it knows. */
export class AddressBook {
  readonly #components: AddressBookComponents;
  readonly #entries: Map<string, Entry> = new Map();
  readonly #dialling: Set<string> = new Set();
  #timer: NodeJS.Timeout | null = null;

  constructor(components: AddressBookComponents, bootstrap: readonly string[]) {
    this.#components = components;
    for (const address of [...bootstrap, ...components.store.addresses().map((known) => known.address)]) {
      this.add(address);
    }
  }

  /** Number of addresses to dial. */
  get size(): number {
    return this.#entries.size;
  }

  /** Remembers an address; own ones and what has no peer id at its end are passed over. */
  add(address: string): void {
    const peer = getPeerId(address);
    if (peer === null || peer === this.#components.network.id || this.#entries.size >= 4 * maxPeers) {
      return;
    }
    if (!this.#entries.has(address)) {
      this.#entries.set(address, { address, failures: 0, notBeforeMs: 0 });
    }
  }

  /** Dials from now on; starting twice is fine. */
  start(): void {
    if (this.#timer === null) {
      this.#turn();
    }
  }

  stop(): void {
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
    }
  }

  #turn(): void {
    const { network, nowMs } = this.#components;
    const connected = new Set(network.peers().map(({ id }) => id));
    const now = nowMs();
    for (const entry of this.#entries.values()) {
      const peer = getPeerId(entry.address)!;
      const room = connected.size + this.#dialling.size < maxPeers;
      if (room && !connected.has(peer) && !this.#dialling.has(peer) && entry.notBeforeMs <= now) {
        void this.#dial(entry, peer);
      }
    }
    this.#timer = setTimeout(() => this.#turn(), turnMs);
  }

  async #dial(entry: Entry, peer: string): Promise<void> {
    const { network, store, nowMs, onFailure } = this.#components;
    this.#dialling.add(peer);
    try {
      await network.connect(entry.address, { signal: AbortSignal.timeout(dialTimeoutMs) });
      entry.failures = 0;
      entry.notBeforeMs = 0;
      store.putAddress(peer, entry.address, nowMs());
    } catch (error) {
      entry.failures++;
      entry.notBeforeMs = nowMs() + Math.min(turnMs * 2 ** Math.min(entry.failures - 1, 5), longestPauseMs);
      if (entry.failures === 1) {
        onFailure(entry.address, error as Error);
      }
    } finally {
      this.#dialling.delete(peer);
    }
  }
}
