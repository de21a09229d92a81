/** Makes renames durable. Nothing is written here. */
import { open } from 'node:fs/promises';

/** Forces the entries of a folder to the disk, so that a rename in it is durable. Windows has no such call and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
