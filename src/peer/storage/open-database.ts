/**
 * Opens a peer's SQLite database for keeping: write-ahead log, every commit on the disk before it returns, checked for
 * damage, brought to the newest schema. Nothing is ever deleted or repaired here. spec/decisions/005-storage.md
 */

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TapestryError } from '../../protocol/errors.ts';
import { ensureWritableFolder } from './folder.ts';
import { migrations } from './sqlite-schema.ts';

/** How long to wait for another connection's lock, in milliseconds. */
const busyTimeoutMs = 5_000;

/** Primary result codes of SQLite that mean that the file is not what it should be. */
const damageCodes = new Set([
  11, // SQLITE_CORRUPT
  26, // SQLITE_NOTADB
]);

/** The primary result code of an error of node:sqlite, or undefined. */
export function sqliteCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === 'number' ? errcode & 0xff : undefined;
}

/** Turns an error of node:sqlite into one for people; any other error is returned as it is. */
export function describeSqliteError(error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  if (code === undefined) return error;
  const reason = (error as Error).message;
  if (damageCodes.has(code)) return databaseCorrupt(path, reason, error);
  return new TapestryError(
    'store-failed',
    `The database ${path} could not be read or written: ${reason}.`,
    'Check the free space and the permissions of its folder, then run again; nothing is lost.',
    { path, code },
    error,
  );
}

function databaseCorrupt(path: string, reason: string, cause?: unknown): TapestryError {
  return new TapestryError(
    'database-corrupt',
    `The database ${path} is damaged: ${reason}.`,
    'Restore it from a backup. Without one, move the whole network folder aside and join again; a voter waits until the ' +
      'round it was in is over, since it no longer knows what it signed.',
    { path, reason },
    cause,
  );
}

/**
 * Opens the database at `path`.
 * @param options.readOnly look only: the file must exist and have the newest schema
 * @throws {TapestryError} `folder-unwritable`, `database-missing`, `database-corrupt`, `database-newer`,
 *   `database-older` (read-only), `store-failed`
 */
export function openDatabase(path: string, options: { readonly readOnly?: boolean } = {}): DatabaseSync {
  const readOnly = options.readOnly ?? false;
  if (!readOnly) ensureWritableFolder(dirname(path));
  else if (!existsSync(path)) {
    throw new TapestryError(
      'database-missing',
      `There is no database at ${path}.`,
      'Check the folder: it should be the home of a peer that has run at least once.',
      { path },
    );
  }
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly, timeout: busyTimeoutMs });
    if (!readOnly) database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
    checkForDamage(database, path);
    migrate(database, path, readOnly);
    return database;
  } catch (error) {
    database?.close();
    throw describeSqliteError(error, path);
  }
}

function checkForDamage(database: DatabaseSync, path: string): void {
  const found = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
  if (found.quick_check !== 'ok') throw databaseCorrupt(path, found.quick_check.replaceAll('\n', ' '));
}

function migrate(database: DatabaseSync, path: string, readOnly: boolean): void {
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  const newest = migrations.length;
  if (version === newest) return;
  if (version > newest) {
    throw new TapestryError(
      'database-newer',
      `The database ${path} has schema ${version}, this version knows ${newest}.`,
      'Run the newer version of tapestry-peer that wrote it.',
      { path, expected: newest, found: version },
    );
  }
  if (readOnly) {
    throw new TapestryError(
      'database-older',
      `The database ${path} has schema ${version}, expected ${newest}.`,
      'Start the peer once, which brings it up to date.',
      { path, expected: newest, found: version },
    );
  }
  database.exec('BEGIN IMMEDIATE');
  for (const sql of migrations.slice(version)) database.exec(sql);
  database.exec(`PRAGMA user_version = ${newest}; COMMIT;`);
}
