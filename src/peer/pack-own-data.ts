/** Packs a peer's own files with the tokenizer of its network, once; later starts find the pack. spec/data.md */
import { join } from 'node:path';
import { packData } from '../trainer/data/pack-data.ts';
import type { TokenizerSource } from '../trainer/tokenizer/tokenizer.ts';
import type { PeerData, UntimedEvent } from './peer.ts';

/** Progress is told this often at most. */
const progressMs = 500;

/** What packing works with. */
export interface PackOwnDataInit {
  readonly data: PeerData;
  readonly networkFolder: string;
  readonly tokenizer: TokenizerSource;
  /** `data.packed` {phase, done, of} in bytes, and `warning` {message} */
  readonly emit: (event: UntimedEvent) => void;
  readonly nowMs: () => number;
  readonly signal?: AbortSignal;
}

/** Where the pack of a network's peer is. */
export function locatePack(networkFolder: string): string {
  return join(networkFolder, 'data');
}

/**
 * Has the pack ready; nothing to do for the starter corpus and for a pack that is there already.
 * @throws {TapestryError} those of `packData`
 */
export async function packOwnData(init: PackOwnDataInit): Promise<void> {
  const { data, networkFolder, tokenizer, emit, nowMs, signal } = init;
  if (data.kind !== 'path') return;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  const onProgress = (phase: 'hash' | 'pack', done: number, of: number): void => {
    if (done < of && nowMs() - toldAtMs < progressMs) return;
    toldAtMs = nowMs();
    emit({ event: 'data.packed', phase, done, of });
  };
  await packData({
    paths: data.paths,
    folder: locatePack(networkFolder),
    tokenizer,
    onNotice: (message) => emit({ event: 'warning', message }),
    onProgress,
    ...(signal === undefined ? {} : { signal }),
  });
}
