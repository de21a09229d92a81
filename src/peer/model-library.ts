/**
 * The models of a home: `<home>/models/<name>/`, each a canonical float32 copy of an imported checkpoint, checked once
 * and whole. spec/checkpoints.md#imported-models
 */
import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { TapestryError } from '../protocol/errors.ts';
import { toHex } from '../protocol/hex.ts';
import { computeMerkleRoot } from '../protocol/merkle.ts';
import { computeModelLayout, type ModelConfig } from '../protocol/model.ts';
import { requireFreeFolder } from '../trainer/checkpoint/folder-writer.ts';
import { readCheckpoint, summarizeCheckpoint } from '../trainer/checkpoint/read-checkpoint.ts';
import { writeCheckpoint } from '../trainer/checkpoint/write-checkpoint.ts';
import type { TokenizerSource } from '../trainer/tokenizer/tokenizer.ts';
import { asBytes } from '../trainer/vector-file.ts';
import { ensureWritableFolder } from './storage/folder.ts';

/** Where the header of the weights notes the root of the base that they are. */
const rootKey = 'tapestry_base';
const namePattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;

/** A model that was imported. */
export interface ImportedModel {
  readonly name: string;
  readonly folder: string;
  readonly model: ModelConfig;
  readonly parameters: number;
  readonly tensors: number;
  readonly tokenizer: TokenizerSource;
  /** Merkle root of the parameters: what a network that starts from them names in its manifest */
  readonly root: string;
}

/** A folder of the library; `problem` says why it cannot be used. */
export interface ModelEntry {
  readonly name: string;
  readonly folder: string;
  readonly model: ModelConfig | null;
  readonly parameters: number;
  /** as noted at import; empty if it was not */
  readonly root: string;
  readonly problem: string | null;
}

/** The folder that holds the models of a home. */
export function modelsFolder(home: string): string {
  return join(home, 'models');
}

/**
 * Checks a model folder and keeps a copy of it.
 * @param source a folder in the format of Hugging Face
 * @param name default: the source folder's own, with a dash for what a name cannot hold
 * @throws {TapestryError} `model-name`, `folder-taken`, `folder-failed`, and those of `readCheckpoint`
 */
export async function importModel(home: string, source: string, name?: string): Promise<ImportedModel> {
  const chosen =
    name ??
    basename(resolve(source))
      .replaceAll(/[^A-Za-z0-9._-]/g, '-')
      .replace(/^\.+/, '')
      .slice(0, 64);
  if (!namePattern.test(chosen)) {
    throw new TapestryError(
      'model-name',
      `The name of a model: expected 1 to 64 letters, digits, ".", "_" or "-" and no dot first, found "${chosen}"`,
      'Give another one with --name.',
      { name: chosen },
    );
  }
  const folder = join(modelsFolder(home), chosen);
  await requireFreeFolder(folder, 'Give the model another name with --name, or move this folder away.');
  const checkpoint = await readCheckpoint(source);
  const root = toHex(computeMerkleRoot(asBytes(checkpoint.parameters)));
  ensureWritableFolder(modelsFolder(home));
  await writeCheckpoint(folder, checkpoint, { [rootKey]: root });
  const { tensors, length } = computeModelLayout(checkpoint.model);
  const { model, tokenizer } = checkpoint;
  return { name: chosen, folder, model, parameters: length, tensors: tensors.length, tokenizer, root };
}

/** The models of a home, by name. Weights are not read. */
export async function listModels(home: string): Promise<ModelEntry[]> {
  const names = await readdir(modelsFolder(home)).catch((): string[] => []);
  const entries: ModelEntry[] = [];
  for (const name of names.filter((found) => namePattern.test(found)).sort()) {
    entries.push(await readEntry(name, join(modelsFolder(home), name)));
  }
  return entries;
}

/**
 * The folder that `--model` means: a model of the home by its name, or a folder by its path.
 * @throws {TapestryError} `model-missing`
 */
export async function findModelFolder(home: string, nameOrFolder: string): Promise<string> {
  const names = await readdir(modelsFolder(home)).catch((): string[] => []);
  if (namePattern.test(nameOrFolder) && names.includes(nameOrFolder)) return join(modelsFolder(home), nameOrFolder);
  const folder = resolve(nameOrFolder);
  if (await readdir(folder).catch(() => null)) return folder;
  const known = names.filter((name) => namePattern.test(name)).sort();
  throw new TapestryError(
    'model-missing',
    `${nameOrFolder}: expected the name of an imported model or a folder, found neither`,
    known.length === 0
      ? 'Import one with "tapestry-peer import DIR", or give the path of its folder.'
      : `Imported models: ${known.join(', ')}.`,
    { model: nameOrFolder, known },
  );
}

async function readEntry(name: string, folder: string): Promise<ModelEntry> {
  try {
    const { model, metadata } = await summarizeCheckpoint(folder);
    const parameters = computeModelLayout(model).length;
    return { name, folder, model, parameters, root: metadata[rootKey] ?? '', problem: null };
  } catch (error) {
    if (!(error instanceof TapestryError)) throw error;
    return { name, folder, model: null, parameters: 0, root: '', problem: error.message };
  }
}
