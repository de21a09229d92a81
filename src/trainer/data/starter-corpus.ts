/**
 * Text that every installation already has: files of the pinned runtime dependencies, named by a committed list with
 * their hashes. It lets a network start without any data of its own. Nothing is downloaded.
 * The list is made by scripts/list-starter-corpus.ts. spec/trainer.md#starter-corpus
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { computeHash } from '../../protocol/hash.ts';
import entries from './starter-corpus.json' with { type: 'json' };

/** The four kinds of text; peer i of a testnet takes kind i mod 4. */
export const starterKinds = ['md', 'dts', 'libp2p-js', 'js'] as const;

/** Name of a kind. */
export type StarterKind = (typeof starterKinds)[number];

/** One file of the list. */
export interface StarterEntry {
  /** package name, slash, path inside the package */
  readonly path: string;
  /** lower-case hex of the file's bytes */
  readonly sha256: string;
  /** SPDX expression of the package */
  readonly licence: string;
  readonly kind: StarterKind;
}

/** Largest file of the list, in bytes. */
export const maxStarterFileBytes: number = 256 * 1024;

const heldOutShare = 20;

/** The committed list, ascending by path. */
export const starterEntries: readonly StarterEntry[] = entries as StarterEntry[];

/** Texts that were read, and a line for each file that was not. */
export interface StarterTexts {
  readonly documents: readonly Uint8Array[];
  readonly warnings: readonly string[];
}

/**
 * Entries of one kind, or of all: those that nobody trains on (every 20th, in the order of the hash of the path), or
 * the others.
 * @param kindIndex 0 to 3, or null for all kinds
 */
export function selectStarterEntries(kindIndex: number | null, part: 'training' | 'held-out'): StarterEntry[] {
  return starterKinds
    .filter((_, index) => kindIndex === null || kindIndex === index)
    .flatMap((kind) => {
      const ofKind = starterEntries.filter((entry) => entry.kind === kind);
      const ranks = new Map(
        ofKind
          .map(({ path }) => hashPath(path))
          .sort()
          .map((hash, rank) => [hash, rank]),
      );
      const isHeldOut = (entry: StarterEntry): boolean => ranks.get(hashPath(entry.path))! % heldOutShare === 0;
      return ofKind.filter((entry) => isHeldOut(entry) === (part === 'held-out'));
    });
}

/** SHA-256 over the held-out entries of all kinds: what a manifest names as its held-out text. 32 bytes. */
export function computeHeldOutHash(): Uint8Array {
  const lines = selectStarterEntries(null, 'held-out').map((entry) => `${entry.kind} ${entry.sha256} ${entry.path}\n`);
  return computeHash('tapestry/held-out/v1', Buffer.from(lines.toSorted().join('')));
}

/** Reads entries; a file that is missing or differs from the list is passed over and named in the warnings. */
export async function readStarterTexts(wanted: readonly StarterEntry[]): Promise<StarterTexts> {
  const documents: Uint8Array[] = [];
  const warnings: string[] = [];
  for (const entry of wanted) {
    const bytes = await readStarterFile(entry.path);
    if (bytes === null) {
      warnings.push(`starter corpus: ${entry.path} is missing and was skipped`);
    } else if (createHash('sha256').update(bytes).digest('hex') !== entry.sha256) {
      warnings.push(`starter corpus: ${entry.path} is not the listed version and was skipped`);
    } else {
      documents.push(bytes);
    }
  }
  return { documents, warnings };
}

/** Folder of an installed package, wherever the resolver finds it, or null. */
export function findPackageFolder(name: string): string | null {
  try {
    const file = findPackageJSON(name, import.meta.url);
    return file === undefined ? null : dirname(file);
  } catch {
    return null;
  }
}

async function readStarterFile(path: string): Promise<Uint8Array | null> {
  const parts = path.split('/');
  const nameParts = path.startsWith('@') ? 2 : 1;
  const folder = findPackageFolder(parts.slice(0, nameParts).join('/'));
  if (folder === null) {
    return null;
  }
  const file = join(folder, ...parts.slice(nameParts));
  try {
    return (await stat(file)).size > maxStarterFileBytes ? new Uint8Array() : await readFile(file);
  } catch {
    return null;
  }
}

function hashPath(path: string): string {
  return createHash('sha256').update(path).digest('hex');
}
