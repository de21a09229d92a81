/** Folders that a peer writes to, and files that survive a loss of power. */

import { accessSync, constants, mkdirSync } from 'node:fs';
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
