/** Finds the process that runs the peer of a network folder, for `status` and `stop`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findLockHolder } from './storage/home-lock.ts';

/**
 * The number of the process that works in a network folder, or null if none does.
 * Asking for the lock takes it for a moment, in which a peer could not start: so it is only asked for where a peer has
 * left its number, and is running or was killed.
 */
export function findRunningPeer(folder: string): number | null {
  return existsSync(join(folder, 'lock.pid')) ? (findLockHolder(folder)?.pid ?? null) : null;
}
