/**
 * The folder of one network in a peer's home: `<home>/networks/<first 16 hex digits of the network id>/` with
 * `manifest.toml` for people, `manifest.cbor` that counts, and beside them what belongs to others: `peer.sqlite`,
 * `blobs/`, `training/`, `lock.sqlite`, `status.json`.
 */
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TapestryError } from '../protocol/errors.ts';
import { toHex } from '../protocol/hex.ts';
import type { Manifest } from '../protocol/manifest.ts';
import {
  computeManifestHash,
  computeNetworkId,
  decodeManifest,
  encodeManifest,
} from '../protocol/manifest-canonical.ts';
import { formatManifest, parseManifest } from '../protocol/manifest-toml.ts';
import { ensureWritableFolder, folderUnwritable } from './storage/folder.ts';

/** Where a network's rows are, inside its folder. */
export const databaseFile = 'peer.sqlite';
/** Where a network's bases and bodies are, inside its folder. */
export const blobFolder = 'blobs';

/** One network on this disk. */
export interface NetworkFolder {
  readonly path: string;
  readonly manifest: Manifest;
  /** lower-case hex of 32 bytes */
  readonly networkId: string;
}

/** Where a network with this id (hex) is kept. */
export function locateNetwork(home: string, networkId: string): string {
  return join(home, 'networks', networkId.slice(0, 16));
}

/** Where the network of a manifest is kept. */
export function locateNetworkOf(home: string, manifest: Manifest): string {
  return locateNetwork(home, toHex(computeNetworkId(manifest)));
}

/**
 * Makes the folder of a network, or returns the one that is there.
 * @throws {TapestryError} `folder-unwritable`, or what `openNetworkFolder` throws
 */
export async function createNetworkFolder(home: string, manifest: Manifest): Promise<NetworkFolder> {
  const path = locateNetworkOf(home, manifest);
  ensureWritableFolder(path);
  await writeWhole(join(path, 'manifest.toml'), formatManifest(manifest));
  await writeWhole(join(path, 'manifest.cbor'), encodeManifest(manifest));
  return openNetworkFolder(path);
}

/**
 * Reads the manifest of a network folder and checks that it is the one that the folder is named after.
 * @throws {TapestryError} `network-missing`, `manifest-damaged`, `wrong-network`
 */
export async function openNetworkFolder(path: string): Promise<NetworkFolder> {
  const file = join(path, 'manifest.cbor');
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new TapestryError(
      'network-missing',
      `${path}: expected the folder of a network, found no readable manifest.cbor`,
      'Join a network with "tapestry-peer join LINK", or found one with "tapestry-peer".',
      { path },
      error,
    );
  }
  const checked = decodeManifest(bytes);
  if (checked.outcome !== 'accept') {
    throw new TapestryError(
      'manifest-damaged',
      `${file}: expected a manifest, found bytes refused for "${checked.reason}"`,
      'Restore the file from another peer of the network, or move the folder away and join again.',
      { file, ...checked.facts },
    );
  }
  const networkId = toHex(computeManifestHash(bytes));
  const name = path.split(/[\\/]/).findLast((part) => part !== '') ?? '';
  if (/^[0-9a-f]{16}$/.test(name) && !networkId.startsWith(name)) {
    throw new TapestryError(
      'wrong-network',
      `${file}: expected the manifest of network ${name}…, found that of ${networkId.slice(0, 16)}…`,
      'Put the right manifest back, or move the folder away and join again.',
      { file, expected: name, found: networkId },
    );
  }
  await checkManifestText(join(path, 'manifest.toml'), networkId);
  return { path, manifest: checked.value, networkId };
}

/** The text beside the manifest is for people; one that says something else is an attempt to change what cannot change. */
async function checkManifestText(file: string, networkId: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) {
    return;
  }
  const found = toHex(computeNetworkId(parseManifest(text, file)));
  if (found !== networkId) {
    throw new TapestryError(
      'manifest-changed',
      `${file}: expected the text of manifest ${networkId.slice(0, 16)}…, found that of ${found.slice(0, 16)}…`,
      'A manifest never changes: undo the edit (or delete the file), or found another network with --set.',
      { file, expected: networkId, found },
    );
  }
}

/** Folders of all networks in a home, the last used one first. */
export async function listNetworkFolders(home: string): Promise<string[]> {
  const parent = join(home, 'networks');
  const names = await readdir(parent).catch(() => []);
  const used = await Promise.all(
    names.map(async (name) => {
      const path = join(parent, name);
      const times = await Promise.all(['status.json', 'manifest.cbor'].map((file) => readTime(join(path, file))));
      return { path, time: Math.max(...times) };
    }),
  );
  return used
    .filter(({ time }) => time > 0)
    .sort((a, b) => b.time - a.time)
    .map(({ path }) => path);
}

/**
 * Writes a file as a whole: whoever reads it sees the old content or the new one.
 * @throws {TapestryError} `folder-unwritable`
 */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await writeFile(`${path}.part`, content);
    await rename(`${path}.part`, path);
  } catch (error) {
    throw folderUnwritable(dirname(path), error);
  }
}

async function readTime(path: string): Promise<number> {
  return stat(path).then(
    (facts) => facts.mtimeMs,
    () => 0,
  );
}
