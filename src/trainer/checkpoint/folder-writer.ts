/**
 * Folders that appear whole or not at all: filled under a temporary name beside their place, synced and renamed.
 * spec/checkpoints.md#folders
 */
import { access, mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { TapestryError } from '../../protocol/errors.ts';
import { syncFolder } from '../sync-folder.ts';

/** Where a folder is filled: beside its place, so that the rename stays on one disk. */
function temporaryPathOf(target: string): string {
  return join(dirname(target), `.${basename(target)}.partial`);
}

/**
 * Makes a folder. What an interrupted attempt at the same place has left is removed first.
 * @param fill writes the files into the folder it is given
 * @throws {TapestryError} `folder-taken` if there is something at the target, `folder-failed` when the disk refuses, and
 *   what `fill` throws; nothing is left behind
 */
export async function writeFolderWhole(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const path = resolve(target);
  const temporary = temporaryPathOf(path);
  await requireFreeFolder(path);
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await fill(temporary);
    await syncAll(temporary);
    if (await isThere(path)) await rmdir(path);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (error instanceof TapestryError || (error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new TapestryError(
      'folder-failed',
      `Cannot write ${path}: ${(error as Error).message}`,
      'Free disk space, correct the rights, or give another folder; nothing half-written is left.',
      { path },
      error,
    );
  }
}

/**
 * Refuses a place that is taken. An empty folder may be there: whoever made it has chosen the place.
 * @throws {TapestryError} `folder-taken`
 */
export async function requireFreeFolder(
  path: string,
  remedy = 'Give another folder, or move this one away: nothing is overwritten.',
): Promise<void> {
  const found = await readdir(path).then(
    (names) => (names.length === 0 ? null : `a folder with ${names.length} entries`),
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : (error.code ?? String(error))),
  );
  if (found === null) return;
  throw new TapestryError('folder-taken', `${path}: expected no such folder, or an empty one, found ${found}`, remedy, {
    path,
    found,
  });
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Forces a folder of files to the disk. */
async function syncAll(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = await open(join(folder, name), 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
  await syncFolder(folder);
}
