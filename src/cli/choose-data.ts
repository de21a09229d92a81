/** Decides which training text a peer gets, and finds a wrong path before anything else is started. */
import { stat } from 'node:fs/promises';
import type { PeerData } from '../peer/peer.ts';
import { TapestryError } from '../protocol/errors.ts';
import { starterKinds } from '../trainer/data/starter-corpus.ts';

/**
 * The paths if there are any, otherwise one kind of the starter corpus.
 * @throws {TapestryError} `data-missing`
 */
export async function chooseData(paths: readonly string[], kindIndex: number): Promise<PeerData> {
  if (paths.length === 0) return { kind: 'starter', kindIndex: kindIndex % starterKinds.length };
  for (const path of paths) {
    await stat(path).catch((error: NodeJS.ErrnoException) => {
      throw new TapestryError(
        'data-missing',
        `--data ${path}: expected a folder or a file of text, found: ${error.code}`,
        'Correct the path, or leave --data out to train on the starter corpus.',
        { path },
        error,
      );
    });
  }
  return { kind: 'path', paths };
}
