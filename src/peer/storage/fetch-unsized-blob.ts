/**
 * Fetches a blob of which only the root is known, not the size: its leaf hashes say how many leaves it has, and its last
 * leaf ends where its hash says. For small files; everything else is fetched by `blob-exchange.ts`, from several
 * peers at once. spec/network.md#blob
 */
import { TapestryError } from '../../protocol/errors.ts';
import { equalBytes, fromHex } from '../../protocol/hex.ts';
import { computeLeafHashes, computeRootOfLeaves, leafLength } from '../../protocol/merkle.ts';
import type { Network } from '../network/network.ts';
import {
  type BlobRequest,
  blobProtocol,
  decodeBlobResponse,
  encodeBlobRequest,
  leafHashBytes,
  maxLeavesPerRequest,
  maxLeavesResponseBytes,
} from './blob-protocol.ts';

/** Whom to ask, and for how much. */
export interface UnsizedFetch {
  readonly network: Pick<Network, 'request'>;
  readonly peer: string;
  /** a longer blob is refused before it is fetched */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks one peer for the whole of a blob.
 * @returns its bytes, checked, or null if the peer does not hold it
 * @throws {TapestryError} `blob-unavailable` if what it sent is not what the root names; those of `Network.request`
 */
export async function fetchUnsizedBlob(root: string, fetch: UnsizedFetch): Promise<Uint8Array | null> {
  const maxHashBytes = Math.ceil(fetch.maxBytes / leafLength) * leafHashBytes;
  const list = await ask(fetch, { root, kind: 'leaf-hashes' }, 1 + maxHashBytes);
  if (list === null) return null;
  const hashes = Array.from({ length: Math.floor(list.length / leafHashBytes) }, (_, leaf) =>
    list.subarray(leaf * leafHashBytes, (leaf + 1) * leafHashBytes),
  );
  const isWhole = hashes.length > 0 && list.length % leafHashBytes === 0;
  if (!isWhole || !equalBytes(computeRootOfLeaves(hashes), fromHex(root))) throw wrongBytes(root, fetch.peer);
  const blocks: Uint8Array[] = [];
  for (let first = 0; first < hashes.length; first += maxLeavesPerRequest) {
    const request: BlobRequest = { root, kind: 'leaves', first, count: maxLeavesPerRequest };
    const block = await ask(fetch, request, maxLeavesResponseBytes);
    if (block === null) return null;
    const expected = hashes.slice(first, first + maxLeavesPerRequest);
    const found = computeLeafHashes(block);
    if (found.length !== expected.length || !found.every((hash, index) => equalBytes(hash, expected[index]!))) {
      throw wrongBytes(root, fetch.peer);
    }
    blocks.push(block);
  }
  const bytes = Buffer.concat(blocks);
  if (bytes.length > fetch.maxBytes) throw wrongBytes(root, fetch.peer);
  return bytes;
}

async function ask(
  { network, peer, signal }: UnsizedFetch,
  request: BlobRequest,
  maxResponseBytes: number,
): Promise<Uint8Array | null> {
  const options = signal === undefined ? { maxResponseBytes } : { maxResponseBytes, signal };
  const response = decodeBlobResponse(await network.request(peer, blobProtocol, encodeBlobRequest(request), options));
  if (response.outcome === 'accept') return response.value;
  throw wrongBytes(request.root, peer);
}

function wrongBytes(root: string, peer: string): TapestryError {
  return new TapestryError(
    'blob-unavailable',
    `Peer ${peer} sent bytes that are not those of ${root}.`,
    'Ask another peer.',
    { root, peer },
  );
}
