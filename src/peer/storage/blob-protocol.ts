/**
 * The bytes of the `blob` protocol: what one peer asks another about a content-addressed blob. spec/network.md#blob
 *
 *     request   root (32) | kind u8: 0 leaf hashes, 1 leaves | first u32 | count u16     big-endian, 39 bytes
 *     response  status u8: 0 here it is, 1 not held | bytes
 *
 * Leaf hashes are asked for all at once, with first and count zero; of leaves, at most four (1 MiB) at a time.
 */

import { fromHex, toHex } from '../../protocol/hex.ts';
import { leafLength } from '../../protocol/merkle.ts';
import { accept, type Checked, reject } from '../../protocol/outcome.ts';

/** Name of the protocol; the network id is put in front of it. */
export const blobProtocol = 'blob';
/** Exact size of a request, in bytes. */
export const blobRequestBytes = 39;
/** Leaves in one response: 4 × 256 KiB = 1 MiB. */
export const maxLeavesPerRequest = 4;
/** Leaves of the largest blob: 32,768 × 256 KiB = 8 GiB, a list of 1 MiB. */
export const maxLeaves = 32_768;
/** Bytes of one leaf hash. */
export const leafHashBytes = 32;
/** Largest response with leaves, in bytes. */
export const maxLeavesResponseBytes: number = 1 + maxLeavesPerRequest * leafLength;

/** A question about the blob with this root. */
export type BlobRequest =
  | { readonly root: string; readonly kind: 'leaf-hashes' }
  | { readonly root: string; readonly kind: 'leaves'; readonly first: number; readonly count: number };

/** An answer; null if the blob is not held. */
export type BlobResponse = Uint8Array | null;

/** Writes a request. */
export function encodeBlobRequest(request: BlobRequest): Uint8Array {
  const bytes = new Uint8Array(blobRequestBytes);
  bytes.set(fromHex(request.root));
  if (request.kind === 'leaves') {
    const view = new DataView(bytes.buffer);
    view.setUint8(32, 1);
    view.setUint32(33, request.first);
    view.setUint16(37, request.count);
  }
  return bytes;
}

/** Reads a request; every one has one encoding. */
export function decodeBlobRequest(bytes: Uint8Array): Checked<BlobRequest> {
  if (bytes.length !== blobRequestBytes) {
    return reject('length', { expected: blobRequestBytes, found: bytes.length });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const root = toHex(bytes.subarray(0, 32));
  const kind = view.getUint8(32);
  const first = view.getUint32(33);
  const count = view.getUint16(37);
  if (kind === 0) {
    return first === 0 && count === 0 ? accept({ root, kind: 'leaf-hashes' }) : reject('range', { first, count });
  }
  if (kind !== 1) return reject('kind', { found: kind });
  if (count < 1 || count > maxLeavesPerRequest || first >= maxLeaves) return reject('range', { first, count });
  return accept({ root, kind: 'leaves', first, count });
}

/** Writes a response. */
export function encodeBlobResponse(response: BlobResponse): Uint8Array {
  if (response === null) return Uint8Array.of(1);
  const bytes = new Uint8Array(1 + response.length);
  bytes.set(response, 1);
  return bytes;
}

/** Reads a response. */
export function decodeBlobResponse(bytes: Uint8Array): Checked<BlobResponse> {
  if (bytes[0] === 0) return accept(bytes.subarray(1));
  if (bytes[0] === 1 && bytes.length === 1) return accept(null);
  return reject('status', { found: bytes[0] ?? null, sizeBytes: bytes.length });
}
