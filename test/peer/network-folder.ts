import { readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import {
  createNetworkFolder,
  listNetworkFolders,
  locateNetwork,
  openNetworkFolder,
} from '../../src/peer/network-folder.ts';
import { TapestryError } from '../../src/protocol/errors.ts';
import { toHex } from '../../src/protocol/hex.ts';
import { computeNetworkId } from '../../src/protocol/manifest-canonical.ts';
import { createExampleManifest } from '../helpers/example-manifest.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

const manifest = createExampleManifest();

test('a new folder is named after the network and opens to its manifest', async (t) => {
  const home = await makeTemporaryFolder(t);
  const created = await createNetworkFolder(home, manifest);
  const networkId = toHex(computeNetworkId(manifest));
  t.deepEqual(created, { path: join(home, 'networks', networkId.slice(0, 16)), manifest, networkId });
  t.is(created.path, locateNetwork(home, networkId));
  t.deepEqual(await openNetworkFolder(created.path), created);
  t.true((await readFile(join(created.path, 'manifest.toml'), 'utf8')).includes('topK = 256'));
});

test('making it again changes nothing', async (t) => {
  const home = await makeTemporaryFolder(t);
  t.deepEqual(await createNetworkFolder(home, manifest), await createNetworkFolder(home, manifest));
});

test('a home with nothing in it has no networks', async (t) => {
  t.deepEqual(await listNetworkFolders(await makeTemporaryFolder(t)), []);
});

test('networks are listed by last use', async (t) => {
  const home = await makeTemporaryFolder(t);
  const paths: string[] = [];
  for (const name of ['a', 'b', 'c']) paths.push((await createNetworkFolder(home, { ...manifest, name })).path);
  await utimes(join(paths[0]!, 'manifest.cbor'), 100, 100);
  await utimes(join(paths[1]!, 'manifest.cbor'), 300, 300);
  await utimes(join(paths[2]!, 'manifest.cbor'), 200, 200);
  t.deepEqual(await listNetworkFolders(home), [paths[1], paths[2], paths[0]]);
  await writeFile(join(paths[0]!, 'status.json'), '{}');
  t.is((await listNetworkFolders(home))[0], paths[0]);
});

test('a folder without a network, a damaged manifest and a foreign one are refused', async (t) => {
  const home = await makeTemporaryFolder(t);
  const missing = await t.throwsAsync(openNetworkFolder(home), { instanceOf: TapestryError });
  t.is(missing.code, 'network-missing');

  const { path } = await createNetworkFolder(home, manifest);
  const other = await createNetworkFolder(home, { ...manifest, name: 'other' });
  await rename(join(other.path, 'manifest.cbor'), join(path, 'manifest.cbor'));
  const foreign = await t.throwsAsync(openNetworkFolder(path), { instanceOf: TapestryError });
  t.is(foreign.code, 'wrong-network');

  await writeFile(join(path, 'manifest.cbor'), 'oops');
  const damaged = await t.throwsAsync(openNetworkFolder(path), { instanceOf: TapestryError });
  t.is(damaged.code, 'manifest-damaged');
});

test('a place that cannot be written to is named', async (t) => {
  const home = await makeTemporaryFolder(t);
  await writeFile(join(home, 'networks'), 'a file where a folder belongs');
  const error = await t.throwsAsync(createNetworkFolder(home, manifest), { instanceOf: TapestryError });
  t.is(error.code, 'folder-unwritable');
  t.true(error.message.includes(home));
});
