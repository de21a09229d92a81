import { readFile } from 'node:fs/promises';
import test from 'ava';
import {
  computeHeldOutHash,
  findPackageFolder,
  readStarterTexts,
  selectStarterEntries,
  starterEntries,
  starterKinds,
} from '../../../src/trainer/data/starter-corpus.ts';

test('every entry is installed, unchanged and within the bounds', async (t) => {
  const { documents, warnings } = await readStarterTexts(starterEntries);
  t.deepEqual(warnings, []);
  t.is(documents.length, starterEntries.length);
  t.true(documents.every((bytes) => bytes.length >= 200 && bytes.length <= 256 * 1024));
});

test('the list has four kinds, no duplicates, no licence texts and only direct dependencies', async (t) => {
  const url = new URL('../../../package.json', import.meta.url);
  const { dependencies } = JSON.parse(await readFile(url, 'utf8')) as { dependencies: Record<string, string> };
  t.deepEqual(new Set(starterEntries.map((entry) => entry.kind)), new Set(starterKinds));
  t.is(new Set(starterEntries.map((entry) => entry.sha256)).size, starterEntries.length);
  for (const { path, licence } of starterEntries) {
    t.true(
      Object.keys(dependencies).some((name) => path.startsWith(`${name}/`)),
      path,
    );
    t.notRegex(path, /licen[cs]e|\.min\.|node_modules/i);
    t.truthy(licence, path);
  }
});

test('held-out files are never trained on, and every kind has some', (t) => {
  const training = new Set(selectStarterEntries(null, 'training').map((entry) => entry.sha256));
  const heldOut = selectStarterEntries(null, 'held-out');
  t.true(heldOut.every((entry) => !training.has(entry.sha256)));
  t.is(training.size + heldOut.length, starterEntries.length);
  for (const [index, kind] of starterKinds.entries()) {
    const ofKind = selectStarterEntries(index, 'held-out');
    const all = starterEntries.filter((entry) => entry.kind === kind).length;
    t.is(ofKind.length, Math.ceil(all / 20));
    t.true(ofKind.every((entry) => entry.kind === kind));
  }
});

test('a missing and a changed file are skipped and named', async (t) => {
  const [first, second, third] = selectStarterEntries(0, 'training');
  const { documents, warnings } = await readStarterTexts([
    first!,
    { ...second!, sha256: '0'.repeat(64) },
    { ...third!, path: 'no-such-package/a.md' },
    { ...third!, path: 'zod/absent.md' },
  ]);
  t.is(documents.length, 1);
  t.is(warnings.length, 3);
  t.true(warnings[0]!.includes(second!.path));
  t.true(warnings[1]!.includes('no-such-package/a.md'));
  t.true(warnings[2]!.includes('zod/absent.md'));
});

test('the held-out hash is 32 bytes and always the same', (t) => {
  t.is(computeHeldOutHash().length, 32);
  t.deepEqual(computeHeldOutHash(), computeHeldOutHash());
});

test('a package that is not installed has no folder', (t) => {
  t.is(findPackageFolder('no-such-package'), null);
  t.truthy(findPackageFolder('@chainsafe/libp2p-noise'));
});
