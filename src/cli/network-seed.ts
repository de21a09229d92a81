/** Turns what people type as a seed into the 32 bytes that a manifest holds. */
import { randomBytes } from 'node:crypto';
import { computeHash } from '../protocol/hash.ts';
import { isHex, toHex } from '../protocol/hex.ts';

/** 64 hex digits are the seed itself, any other text is hashed, no text is a random seed. Lower-case hex. */
export function makeNetworkSeed(text: string | undefined): string {
  if (text === undefined) return randomBytes(32).toString('hex');
  return isHex(text) ? text : toHex(computeHash('tapestry/seed/v1', Buffer.from(text, 'utf8')));
}
