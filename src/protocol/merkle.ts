/**
 * Merkle root over bytes, cut into leaves of 256 KiB: the name of every base, body part and state file.
 * A peer that fetches a large file checks it leaf by leaf. No proofs for single leaves yet. spec/aggregation.md#merkle-root
 */
import { createHash } from 'node:crypto';

/** Bytes of one leaf; the last leaf may be shorter. */
export const leafLength = 262_144;

/** Leaves and nodes start with different bytes, so that no node can be passed off as a leaf. */
const leafPrefix = Uint8Array.of(0x00);
const nodePrefix = Uint8Array.of(0x01);

function computeSha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/**
 * The hashes of the leaves, in order.
 *
 * @param bytes any length; empty bytes are one empty leaf
 * @returns at least one hash of 32 bytes
 * @see spec/aggregation.md#merkle-root
 */
export function computeLeafHashes(bytes: Uint8Array): Uint8Array[] {
  const hashes: Uint8Array[] = [];
  for (let offset = 0; offset === 0 || offset < bytes.length; offset += leafLength) {
    hashes.push(computeSha256(leafPrefix, bytes.subarray(offset, offset + leafLength)));
  }
  return hashes;
}

/**
 * The root over leaf hashes. Neighbours are paired level by level; an odd last node moves up unchanged.
 *
 * @param hashes the leaf hashes in order, 32 bytes each, at least one
 * @returns 32 bytes
 * @throws {RangeError} if there is no hash
 * @see spec/aggregation.md#merkle-root
 */
export function computeRootOfLeaves(hashes: readonly Uint8Array[]): Uint8Array {
  let level = hashes;
  while (level.length > 1) {
    const parents: Uint8Array[] = [];
    for (let i = 0; i + 1 < level.length; i += 2) parents.push(computeSha256(nodePrefix, level[i]!, level[i + 1]!));
    if (level.length % 2 === 1) parents.push(level[level.length - 1]!);
    level = parents;
  }
  const root = level[0];
  if (root === undefined) throw new RangeError('A Merkle root needs at least one leaf hash; found none.');
  return Uint8Array.from(root);
}

/**
 * The Merkle root of bytes.
 *
 * @param bytes any length; a base is its float32 values in little-endian byte order
 * @returns 32 bytes
 * @see spec/aggregation.md#merkle-root
 */
export function computeMerkleRoot(bytes: Uint8Array): Uint8Array {
  return computeRootOfLeaves(computeLeafHashes(bytes));
}
