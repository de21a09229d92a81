/**
 * One process for each home. The lock is an exclusive transaction on a database of its own: the kernel lets go of it
 * when the process ends, however it ends, so no stale lock is ever left behind. The pid beside it is only for people
 * and for `stop`.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TapestryError } from '../../protocol/errors.ts';
import { ensureWritableFolder } from './folder.ts';
import { describeSqliteError, sqliteCode } from './open-database.ts';

const sqliteBusy = 5;
const lockFile = 'lock.sqlite';
const pidFile = 'lock.pid';

/** Holds a home until `release`, or until the process ends. */
export class HomeLock {
  readonly #home: string;
  readonly #database: DatabaseSync;

  /**
   * Takes the home.
   * @throws {TapestryError} `home-locked` if another process (or another lock of this one) has it; `folder-unwritable`
   */
  constructor(home: string) {
    ensureWritableFolder(home);
    const database = tryLock(home);
    if (database === null) {
      const pid = readPid(home);
      throw new TapestryError(
        'home-locked',
        `Another process${pid === null ? '' : ` (pid ${pid})`} is using ${home}.`,
        'Stop it with `tapestry-peer stop`, or give this peer a home of its own with --home.',
        { home, pid },
      );
    }
    this.#home = home;
    this.#database = database;
    writeFileSync(join(home, pidFile), `${process.pid}\n`, { mode: 0o600 });
  }

  /** Lets go; twice is fine. */
  release(): void {
    if (!this.#database.isOpen) return;
    rmSync(join(this.#home, pidFile), { force: true });
    this.#database.close();
  }
}

/** The process that holds a home, its pid null if unknown; null if nobody does. */
export function findLockHolder(home: string): { readonly pid: number | null } | null {
  const database = tryLock(home);
  if (database === null) return { pid: readPid(home) };
  database.close();
  return null;
}

/** Takes the lock; null if it is taken. */
function tryLock(home: string): DatabaseSync | null {
  const path = join(home, lockFile);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if (sqliteCode(error) === sqliteBusy) return null;
    throw describeSqliteError(error, path);
  }
}

function readPid(home: string): number | null {
  try {
    const pid = Number(readFileSync(join(home, pidFile), 'utf8').trim());
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}
