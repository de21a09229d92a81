/**
 * Gets the `tokenizer.json` that a manifest names: before a peer can train it needs it, and only its hash is known.
 * Asks every peer that is or becomes connected. spec/manifest.md#blobs-it-names
 */
import { setTimeout as wait } from 'node:timers/promises';
import { TapestryError } from '../protocol/errors.ts';
import { maxTokenizerBytes } from './founding-blobs.ts';
import type { Network } from './network/network.ts';
import type { UntimedEvent } from './peer.ts';
import type { BlobStore } from './storage/blob-store.ts';
import { fetchUnsizedBlob } from './storage/fetch-unsized-blob.ts';

const pauseMs = 200;

/** What fetching works with. */
export interface FetchTokenizerInit {
  /** root of the file */
  readonly hash: string;
  readonly blobs: BlobStore;
  readonly network: Pick<Network, 'peers' | 'request'>;
  readonly emit: (event: UntimedEvent) => void;
  /** ends the wait for a peer that has it */
  readonly deadlineMs: number;
  /** addresses that are dialled meanwhile, for the error */
  readonly addresses: readonly string[];
  readonly signal: AbortSignal;
}

/** True if the file is in the store, undamaged; a damaged one is set aside. */
export async function holdsTokenizer(blobs: BlobStore, hash: string): Promise<boolean> {
  try {
    await blobs.read(hash);
    return true;
  } catch (error) {
    if (error instanceof TapestryError) return false;
    throw error;
  }
}

/**
 * Brings the file into the store.
 * @throws {TapestryError} `tokenizer-unavailable` if no peer gave it before the deadline; on abort, the signal's reason
 */
export async function fetchTokenizer(init: FetchTokenizerInit): Promise<void> {
  const { hash, blobs, network, emit, signal } = init;
  emit({ event: 'tokenizer.awaited', hash });
  const timeout = AbortSignal.timeout(init.deadlineMs);
  const asked = new Map<string, string>();
  while (!timeout.aborted) {
    signal.throwIfAborted();
    for (const { id } of network.peers().filter((peer) => !asked.has(peer.id))) {
      const fetch = { network, peer: id, maxBytes: maxTokenizerBytes, signal: AbortSignal.any([signal, timeout]) };
      try {
        const bytes = await fetchUnsizedBlob(hash, fetch);
        if (bytes !== null) {
          await blobs.put(bytes);
          emit({ event: 'tokenizer.fetched', hash, peer: id, sizeBytes: bytes.length });
          return;
        }
        asked.set(id, 'does not have it');
      } catch (error) {
        signal.throwIfAborted();
        asked.set(id, error instanceof Error ? error.message : String(error));
      }
    }
    await wait(pauseMs, undefined, { signal: AbortSignal.any([signal, timeout]) }).catch(() => undefined);
  }
  throw unavailable(init, asked);
}

function unavailable({ hash, addresses }: FetchTokenizerInit, asked: ReadonlyMap<string, string>): TapestryError {
  const answers = [...asked].map(([peer, answer]) => `${peer}: ${answer}`);
  const reached =
    answers.length > 0 ? answers.join('; ') : `no peer was reached at ${addresses.join(', ') || 'any address'}`;
  return new TapestryError(
    'tokenizer-unavailable',
    `The tokenizer.json of this network (${hash.slice(0, 16)}…) is not here, and no peer gave it: ${reached}`,
    'Check that a peer of the network is running and can be reached from here (--peers ADDRESS), then try again.',
    { hash, asked: Object.fromEntries(asked) },
  );
}
