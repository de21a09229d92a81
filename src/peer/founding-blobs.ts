/**
 * What a manifest names by its hash and does not hold: the weights of a network that starts from a checkpoint, and the
 * `tokenizer.json` of one that does not read bytes. Both lie among the blobs of the network folder and are never
 * forgotten: whoever founds the network puts them there, others get them from peers. spec/manifest.md#blobs-it-names
 */
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TapestryError } from '../protocol/errors.ts';
import { fromHex, toHex } from '../protocol/hex.ts';
import { computeInitialBase } from '../protocol/initial-base.ts';
import type { InitialBase, Manifest, ManifestTokenizer } from '../protocol/manifest.ts';
import { computeMerkleRoot } from '../protocol/merkle.ts';
import { computeModelLayout, type ModelConfig } from '../protocol/model.ts';
import { loadTokenizer, type TokenizerSource } from '../trainer/tokenizer/tokenizer.ts';
import { asBytes, readVector } from '../trainer/vector-file.ts';
import { blobFolder, createNetworkFolder, locateNetworkOf, type NetworkFolder } from './network-folder.ts';
import { BlobStore } from './storage/blob-store.ts';

/** Largest `tokenizer.json` that a network may name: 64 MiB. */
export const maxTokenizerBytes: number = 64 * 1024 * 1024;

/** A model that a network starts from. */
export interface FoundingModel {
  readonly model: ModelConfig;
  /** flat, in layout order */
  readonly parameters: Float32Array;
  readonly tokenizer: TokenizerSource;
}

/** What a founding model adds to a manifest, and the blobs behind it. */
export interface Founding {
  readonly model: ModelConfig;
  readonly tokenizer: ManifestTokenizer;
  readonly initialBase: InitialBase;
  /** the weights, then the tokenizer's file if it has one */
  readonly blobs: readonly Uint8Array[];
}

/**
 * Prepares a network that starts from given weights.
 * @throws {TapestryError} `tokenizer-missing`, `tokenizer-too-large`
 */
export async function prepareFounding({ model, parameters, tokenizer }: FoundingModel): Promise<Founding> {
  const base = asBytes(parameters);
  const initialBase = { kind: 'checkpoint', root: toHex(computeMerkleRoot(base)) } as const;
  if (tokenizer.kind === 'bytes') return { model, tokenizer, initialBase, blobs: [base] };
  const file = await readTokenizerFile(tokenizer.path);
  const hash = toHex(computeMerkleRoot(file));
  return { model, tokenizer: { kind: 'huggingface', hash }, initialBase, blobs: [base, file] };
}

/**
 * Makes the folder of a network that this home founds. The blobs come first: a folder with a manifest has them all. A
 * tokenizer that cannot be used by itself is found out here, and leaves nothing behind.
 * @param blobs those of its founding; none for a network that starts from its seed
 * @throws {TapestryError} `checkpoint-shape`, those of `loadTokenizer`, `folder-unwritable`
 */
export async function foundNetwork(
  home: string,
  manifest: Manifest,
  blobs: readonly Uint8Array[],
): Promise<NetworkFolder> {
  const [base] = blobs;
  if (base !== undefined) {
    requireShape(manifest, base);
    const path = locateNetworkOf(home, manifest);
    try {
      const store = new BlobStore(join(path, blobFolder));
      for (const bytes of blobs) await store.put(bytes);
      await loadTokenizer(locateTokenizer(manifest, path));
    } catch (error) {
      if (!existsSync(join(path, 'manifest.cbor'))) await rm(path, { recursive: true, force: true });
      throw error;
    }
  }
  return createNetworkFolder(home, manifest);
}

/** Roots of the blobs that the manifest names. */
export function listFoundingBlobs({ tokenizer, initialBase }: Manifest): string[] {
  return [
    ...(tokenizer.kind === 'huggingface' ? [tokenizer.hash] : []),
    ...(initialBase.kind === 'checkpoint' ? [initialBase.root] : []),
  ];
}

/** Where the trainer of a network finds its tokenizer; the file need not be there yet. */
export function locateTokenizer({ tokenizer }: Manifest, networkFolder: string): TokenizerSource {
  if (tokenizer.kind === 'bytes') return tokenizer;
  return { kind: 'huggingface', path: join(networkFolder, blobFolder, tokenizer.hash) };
}

/**
 * The weights of round 1: computed, or read from the network folder.
 * @throws {TapestryError} `trainer-file` if they were given and are not there
 */
export async function readInitialBase(manifest: Manifest, networkFolder: string): Promise<Float32Array> {
  const { model, seed, initialBase } = manifest;
  if (initialBase.kind === 'seed') return computeInitialBase(model, fromHex(seed));
  const { length } = computeModelLayout(model);
  return readVector(join(networkFolder, blobFolder, initialBase.root), length);
}

/** A setting may have changed the model so that the weights do not fit it any more. */
function requireShape({ model }: Manifest, base: Uint8Array): void {
  const [expected, found] = [computeModelLayout(model).length, base.length / 4];
  if (expected === found) return;
  throw new TapestryError(
    'checkpoint-shape',
    `the first weights: expected ${expected} parameters, as the manifest's model has, found ${found}`,
    'Leave out --set of the shape of the model: it comes with the weights.',
    { expected, found },
  );
}

async function readTokenizerFile(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new TapestryError(
      'tokenizer-missing',
      `${path}: expected a tokenizer.json, found no readable file (${error.code ?? error.message})`,
      'Put the file there, or import the model again.',
      { path },
      error,
    );
  });
  if (bytes.length <= maxTokenizerBytes) return bytes;
  throw new TapestryError(
    'tokenizer-too-large',
    `${path}: expected at most ${maxTokenizerBytes} bytes, found ${bytes.length}`,
    'A network cannot carry a larger tokenizer: choose a model with a smaller one.',
    { path, expected: maxTokenizerBytes, found: bytes.length },
  );
}
