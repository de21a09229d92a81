/** What `--model` adds to a new network: the weights that it starts from, with their shape and tokenizer. */
import type { Founding } from '../peer/founding-blobs.ts';
import type { ManifestInit } from '../protocol/create-manifest.ts';

/**
 * Reads the model; null if none was asked for.
 * @param home where imported models are
 * @throws {TapestryError} those of `loadModel` and `prepareFounding`
 */
export async function readFounding(home: string, model: string | undefined): Promise<Founding | null> {
  if (model === undefined) return null;
  const { loadModel } = await import('../peer/load-model.ts');
  const { prepareFounding } = await import('../peer/founding-blobs.ts');
  return prepareFounding(await loadModel({ home, model }));
}

/** The parts of a manifest that come with the model. */
export function selectFounded(founding: Founding | null): Pick<ManifestInit, 'model' | 'tokenizer' | 'initialBase'> {
  if (founding === null) return {};
  const { model, tokenizer, initialBase } = founding;
  return { model, tokenizer, initialBase };
}
