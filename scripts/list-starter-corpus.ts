/**
 * Writes src/trainer/data/starter-corpus.json: the files of runtime dependencies that make up the starter corpus. Run
 * it after one of those packages changed: `node scripts/list-starter-corpus.ts`. With --check it writes nothing and
 * fails when the committed list differs. spec/trainer.md#starter-corpus
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import {
  findPackageFolder,
  maxStarterFileBytes,
  type StarterEntry,
  type StarterKind,
  starterKinds,
} from '../src/trainer/data/starter-corpus.ts';

/**
 * The packages that the corpus is taken from. A new dependency does not enter by itself: it would change the held-out
 * text, and with it what every network measures itself by.
 */
const starterPackages = [
  '@chainsafe/libp2p-gossipsub',
  '@chainsafe/libp2p-noise',
  '@ipld/dag-cbor',
  '@libp2p/crypto',
  '@libp2p/identify',
  '@libp2p/interface',
  '@libp2p/peer-id',
  '@libp2p/ping',
  '@libp2p/tcp',
  '@libp2p/yamux',
  '@multiformats/multiaddr',
  'commander',
  'it-pipe',
  'libp2p',
  'onnxruntime-node',
  'smol-toml',
  'tweetnacl',
  'zod',
];
const minBytes = 200;
const maxKindBytes = 2 * 1024 * 1024;
const maxMeanLine = 120;
const root = join(import.meta.dirname, '..');
const target = join(root, 'src/trainer/data/starter-corpus.json');

interface Candidate extends StarterEntry {
  readonly bytes: number;
}

async function listPackage(name: string): Promise<Candidate[]> {
  const folder = findPackageFolder(name);
  if (folder === null) {
    throw new Error(`${name} is not installed: run npm ci first.`);
  }
  const { license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { license: string };
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: Candidate[] = [];
  for (const file of files.filter((entry) => entry.isFile())) {
    const path = relative(folder, join(file.parentPath, file.name)).split(sep).join('/');
    const kind = chooseKind(name, path);
    if (kind === null || path.split('/').includes('node_modules') || /licen[cs]e|copying|notice/i.test(path)) {
      continue;
    }
    const bytes = await readFile(join(folder, path));
    if (bytes.length >= minBytes && bytes.length <= maxStarterFileBytes && !isMinified(path, bytes)) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      found.push({ path: `${name}/${path}`, sha256, licence: license, kind, bytes: bytes.length });
    }
  }
  return found;
}

function chooseKind(name: string, path: string): StarterKind | null {
  if (path.endsWith('.md')) {
    return 'md';
  }
  if (path.endsWith('.d.ts')) {
    return 'dts';
  }
  if (!path.endsWith('.js')) {
    return null;
  }
  return name === 'libp2p' || /^@(libp2p|chainsafe)\//.test(name) ? 'libp2p-js' : 'js';
}

function isMinified(path: string, bytes: Uint8Array): boolean {
  const lines = bytes.reduce((count, byte) => count + Number(byte === 10), 1);
  return !path.endsWith('.md') && (/[.-]min\./.test(path) || bytes.length / lines > maxMeanLine);
}

/** At most 2 MiB of a kind, so that no kind takes long to read; what stays is drawn by hash, not by name. */
function capKind(candidates: readonly Candidate[]): Candidate[] {
  let total = 0;
  return candidates
    .toSorted((a, b) => compare(a.sha256, b.sha256))
    .filter((candidate) => {
      total += candidate.bytes;
      return total <= maxKindBytes;
    });
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const all = (await Promise.all(starterPackages.map(listPackage))).flat();
const unique = [
  ...new Map(all.toSorted((a, b) => compare(b.path, a.path)).map((entry) => [entry.sha256, entry])).values(),
];
const kept = starterKinds.flatMap((kind) => capKind(unique.filter((entry) => entry.kind === kind)));
const lines = kept
  .toSorted((a, b) => compare(a.path, b.path))
  .map(({ path, sha256, licence, kind }) => JSON.stringify({ path, sha256, licence, kind }));
const text = `[\n${lines.join(',\n')}\n]\n`;
for (const kind of starterKinds) {
  const ofKind = kept.filter((entry) => entry.kind === kind);
  console.log(`${kind}: ${ofKind.length} files, ${ofKind.reduce((sum, entry) => sum + entry.bytes, 0)} bytes`);
}
if (!process.argv.includes('--check')) {
  await writeFile(target, text);
} else if ((await readFile(target, 'utf8')) !== text) {
  console.error('The committed list differs: run node scripts/list-starter-corpus.ts and commit the result.');
  process.exitCode = 1;
}
