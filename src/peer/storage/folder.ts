/** Folders that a peer writes to, and files that survive a loss of power. */

import { accessSync, constants, mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { TapestryError } from '../../protocol/errors.ts';

/**
 * Makes sure that a folder exists and can be written to.
 * @throws {TapestryError} `folder-unwritable`
 */
export function ensureWritableFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw folderUnwritable(folder, error);
  }
}

/** The error for a folder, or a file in it, that cannot be written. */
export function folderUnwritable(folder: string, cause: unknown): TapestryError {
  const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new TapestryError(
    'folder-unwritable',
    `The folder ${folder} cannot be written to (${reason}).`,
    'Give this user the right to write there and check the free space, or choose another folder with --home.',
    { folder, reason },
    cause,
  );
}

/** Forces the directory entries of a folder to the disk, so that a rename in it is durable. Nothing on Windows. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
