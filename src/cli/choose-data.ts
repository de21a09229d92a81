/** Decides which training text a peer gets, and finds what is wrong with it before anything else is started or made. */
import type { PeerData } from '../peer/peer.ts';
import { readDocuments } from '../trainer/data/read-documents.ts';
import { starterKinds } from '../trainer/data/starter-corpus.ts';

/**
 * The paths if there are any, otherwise one kind of the starter corpus.
 * @throws {TapestryError} `data-missing`, `data-kind`, `data-empty`, `data-line`, `data-too-large`
 */
export async function chooseData(paths: readonly string[], kindIndex: number): Promise<PeerData> {
  if (paths.length === 0) return { kind: 'starter', kindIndex: kindIndex % starterKinds.length };
  await readDocuments(paths);
  return { kind: 'path', paths };
}
