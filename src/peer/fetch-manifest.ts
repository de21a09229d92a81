/** Gets the manifest of a network that one has a link to: from any of its peers, checked by its hash. */
import { TapestryError } from '../protocol/errors.ts';
import { toHex } from '../protocol/hex.ts';
import type { Manifest } from '../protocol/manifest.ts';
import { computeManifestHash, decodeManifest, maxManifestBytes } from '../protocol/manifest-canonical.ts';
import { Libp2pNetwork } from './network/libp2p-network.ts';

/** Short name of the request that manifests are asked for with; the request is empty. */
export const manifestProtocol = 'manifest';

const timeoutMs = 15_000;

/** Whom to ask, and as whom. */
export interface FetchManifestInit {
  /** 32 bytes */
  readonly seed: Uint8Array;
  /** hex; the hash that the manifest must have */
  readonly networkId: string;
  /** multiaddrs, asked in turn */
  readonly addresses: readonly string[];
  readonly signal?: AbortSignal;
}

/**
 * Asks the addresses of a link in turn until one gives the manifest with the right hash.
 * @throws {TapestryError} `manifest-unavailable` with what each address answered
 */
export async function fetchManifest(init: FetchManifestInit): Promise<Manifest> {
  const { seed, networkId, addresses } = init;
  const network = new Libp2pNetwork({ seed, networkId, listen: [], onMessage: async () => 'ignore' });
  await network.start();
  const reasons: string[] = [];
  try {
    for (const address of addresses) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const signal = init.signal === undefined ? timeout : AbortSignal.any([timeout, init.signal]);
      try {
        const peer = await network.connect(address, { signal });
        const options = { maxResponseBytes: maxManifestBytes, signal };
        const bytes = await network.request(peer, manifestProtocol, new Uint8Array(1), options);
        const decoded = decodeManifest(bytes);
        if (decoded.outcome === 'accept' && toHex(computeManifestHash(bytes)) === networkId) {
          return decoded.value;
        }
        reasons.push(`${address}: it gave another manifest`);
      } catch (error) {
        init.signal?.throwIfAborted();
        reasons.push(`${address}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  } finally {
    await network.stop();
  }
  throw new TapestryError(
    'manifest-unavailable',
    `No peer in the link gave the manifest of network ${networkId.slice(0, 16)}: ${reasons.join('; ')}`,
    'Check that a peer of the link is running and can be reached from here, then try again.',
    { network: networkId },
  );
}
