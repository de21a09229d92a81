/**
 * The tensors of a folder, in one file or in shards with an index, and reading them into one flat vector. Everything
 * that headers can tell is checked before the vector is allocated. spec/checkpoints.md#weights
 */
import { access, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TapestryError } from '../../protocol/errors.ts';
import type { TensorSlot } from '../../protocol/model.ts';
import { withSafetensors } from './read-safetensors.ts';
import { maxHeaderBytes, quoteName, type StoredTensor } from './safetensors-header.ts';

/** File names of weights, as transformers writes them. */
export const weightFiles = { single: 'model.safetensors', index: 'model.safetensors.index.json' } as const;

/** Buffers that old exports carry and that follow from the configuration. */
const ignored = /\brotary_emb\.inv_freq$/;

/** A tensor, and the file that it is in. */
export interface TensorPlace {
  readonly path: string;
  readonly tensor: StoredTensor;
}

/** The error of weights that do not fit; `kind` completes the code `weights-…`. */
export function badWeights(
  where: string,
  kind: string,
  expected: string,
  found: string,
  remedy: string,
): TapestryError {
  const facts = { where, expected, found };
  return new TapestryError(`weights-${kind}`, `${where}: expected ${expected}, found ${found}`, remedy, facts);
}

/**
 * Finds the weights of a model folder: `model.safetensors`, else the shards of its index.
 * @throws {TapestryError} `weights-missing`, `weights-index`, `weights-duplicate`, and those of `readSafetensorsHeader`
 */
export async function locateWeights(folder: string): Promise<Map<string, TensorPlace>> {
  if (await isThere(join(folder, weightFiles.single))) {
    return locateTensors([join(folder, weightFiles.single)]);
  }
  const indexPath = join(folder, weightFiles.index);
  if (!(await isThere(indexPath))) {
    const expected = `${weightFiles.single} or ${weightFiles.index}`;
    const remedy = 'Give the folder of a model; a pytorch_model.bin must be saved as safetensors first.';
    throw badWeights(folder, 'missing', expected, 'neither', remedy);
  }
  const index = await readIndex(indexPath);
  const places = await locateTensors([...new Set(index.values())].map((name) => join(folder, name)));
  const remedy = 'Download or export the folder again: index and files do not belong together.';
  for (const [name, { path }] of places) {
    const said = index.get(name);
    if (said === undefined || join(folder, said) !== path) {
      const expected = `tensor ${quoteName(name)} in ${said ?? 'no file'}`;
      throw badWeights(indexPath, 'index', expected, `it in ${path}`, remedy);
    }
  }
  for (const [name, file] of index) {
    if (!places.has(name) && !ignored.test(name)) {
      throw badWeights(indexPath, 'index', `tensor ${quoteName(name)} in ${file}`, 'a file without it', remedy);
    }
  }
  return places;
}

/**
 * The tensors of several files, by name, without the buffers that are ignored.
 * @throws {TapestryError} `weights-duplicate`, and those of `readSafetensorsHeader`
 */
export async function locateTensors(paths: readonly string[]): Promise<Map<string, TensorPlace>> {
  const places = new Map<string, TensorPlace>();
  for (const path of paths) {
    await withSafetensors(path, async ({ tensors }) => {
      for (const tensor of tensors) {
        const { name } = tensor;
        if (ignored.test(name)) continue;
        const other = places.get(name);
        if (other !== undefined) {
          const remedy = 'Remove the file that does not belong to the model.';
          throw badWeights(
            path,
            'duplicate',
            `tensor ${quoteName(name)} in one file`,
            `it in ${other.path} too`,
            remedy,
          );
        }
        places.set(name, { path, tensor });
      }
    });
  }
  return places;
}

/**
 * Checks that the tensors are exactly those of the slots, and reads them.
 * @param where the folder or file, for errors
 * @returns flat vector in the order of the slots
 * @throws {TapestryError} `weights-missing`, `weights-unexpected`, `weights-shape`, and those of `readTensor`
 */
export async function readSlots(
  where: string,
  places: ReadonlyMap<string, TensorPlace>,
  slots: readonly TensorSlot[],
): Promise<Float32Array> {
  checkSlots(where, places, slots);
  const last = slots.at(-1)!;
  const vector = new Float32Array(last.offset + last.length);
  const offsets = new Map(slots.map(({ name, offset }) => [name, offset]));
  for (const path of new Set([...places.values()].map((place) => place.path))) {
    await withSafetensors(path, async ({ tensors, read }) => {
      for (const tensor of tensors) {
        const offset = offsets.get(tensor.name);
        if (offset === undefined) continue;
        await read(tensor, (values, from) => vector.set(values, offset + from));
      }
    });
  }
  return vector;
}

/** Every slot has a tensor of its shape, and every tensor a slot. */
function checkSlots(where: string, places: ReadonlyMap<string, TensorPlace>, slots: readonly TensorSlot[]): void {
  for (const { name, shape } of slots) {
    const place = places.get(name);
    if (place === undefined) {
      throw badWeights(where, 'missing', `tensor ${name} [${shape.join(', ')}]`, 'none', remedyOf(name));
    }
    const found = place.tensor.shape;
    if (found.length !== shape.length || found.some((size, at) => size !== shape[at])) {
      const remedy = 'The weights are not those of config.json beside them: take both from the same export.';
      throw badWeights(place.path, 'shape', `tensor ${name} [${shape.join(', ')}]`, `[${found.join(', ')}]`, remedy);
    }
  }
  const known = new Set(slots.map(({ name }) => name));
  for (const [name, { path, tensor }] of places) {
    if (known.has(name)) continue;
    const found = `tensor ${quoteName(name)} [${tensor.shape.join(', ')}]`;
    const remedy = 'Only plain Llama decoders are supported: no biases, adapters, experts or extra heads.';
    throw badWeights(path, 'unexpected', 'only the tensors of a Llama decoder', found, remedy);
  }
}

function remedyOf(name: string): string {
  return name === 'lm_head.weight'
    ? 'If the model uses its embedding as the output matrix, set "tie_word_embeddings" to true in config.json.'
    : "Download or export the model again, with the names of Hugging Face's Llama classes.";
}

/** Which tensor is in which file. Files are plain names, so that an index cannot point out of its folder. */
async function readIndex(path: string): Promise<Map<string, string>> {
  const expected = 'a "weight_map" of tensor names to files beside the index';
  const refuse = (found: string): TapestryError =>
    badWeights(path, 'index', expected, found, 'Download or export the model again.');
  const { size } = await stat(path);
  if (size > maxHeaderBytes) throw refuse(`${size} bytes, more than ${maxHeaderBytes}`);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw refuse((error as Error).message);
  }
  const map = (value as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw refuse(`"weight_map": ${quoteName(map)}`);
  const index = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || !/^[A-Za-z0-9_-][A-Za-z0-9._-]*\.safetensors$/.test(file)) {
      throw refuse(`file ${quoteName(file)} for tensor ${quoteName(name)}`);
    }
    index.set(name, file);
  }
  return index;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
