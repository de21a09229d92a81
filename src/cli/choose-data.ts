/** Decides which training text a peer gets, and finds what is wrong with it before anything else is started or made. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerData } from '../peer/peer.ts';
import { listFiles } from '../trainer/data/list-files.ts';
import { starterKinds } from '../trainer/data/starter-corpus.ts';

/**
 * The paths if there are any, otherwise one kind of the starter corpus. One path may be what `data pack` made.
 * @param paths absolute
 * @throws {TapestryError} `data-missing`, `data-kind`, `data-empty`, and for a pack `pack-damaged`
 */
export async function chooseData(paths: readonly string[], kindIndex: number): Promise<PeerData> {
  const [path] = paths;
  if (path === undefined) return { kind: 'starter', kindIndex: kindIndex % starterKinds.length };
  if (paths.length === 1 && existsSync(join(path, 'pack.json'))) {
    const { openPack } = await import('../trainer/data/open-pack.ts');
    await (await openPack(path)).close();
    return { kind: 'pack', folder: path };
  }
  await listFiles(paths);
  return { kind: 'path', paths };
}
