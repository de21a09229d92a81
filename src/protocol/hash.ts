/** Domain-separated SHA-256: no two rules ever hash the same bytes for different purposes. spec/wire-formats.md#hashes */
import { createHash } from 'node:crypto';

const zero = new Uint8Array(1);

/**
 * SHA-256(domain ‖ 0x00 ‖ parts…). Parts are concatenated as they are: callers pass fixed-length parts, and at most one
 * of variable length, as the last.
 * @param domain ASCII such as `tapestry/vote/v1`
 * @returns 32 bytes
 */
export function computeHash(domain: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256').update(domain, 'ascii').update(zero);
  for (const part of parts) {
    hash.update(part);
  }
  return new Uint8Array(hash.digest());
}

/** Eight bytes, big-endian, of a whole number from 0 to 2^53 − 1. */
export function encodeUint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}
