import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { foundNetwork, prepareFounding } from '../../src/peer/founding-blobs.ts';
import { loadBase, loadModel } from '../../src/peer/load-model.ts';
import { importModel } from '../../src/peer/model-library.ts';
import { createNetworkFolder } from '../../src/peer/network-folder.ts';
import { SqliteStore } from '../../src/peer/storage/sqlite-store.ts';
import { createManifest } from '../../src/protocol/create-manifest.ts';
import { fromHex, toHex } from '../../src/protocol/hex.ts';
import { computeInitialBase } from '../../src/protocol/initial-base.ts';
import { computeMerkleRoot } from '../../src/protocol/merkle.ts';
import { writeCheckpoint } from '../../src/trainer/checkpoint/write-checkpoint.ts';
import { asBytes } from '../../src/trainer/vector-file.ts';
import { type BuiltChain, buildChain } from '../helpers/built-chain.ts';
import { hashFiles } from '../helpers/run-command.ts';
import { createSmallNetwork } from '../helpers/small-network.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';
import { smallModel } from '../trainer/helpers/small-model.ts';

const network = createSmallNetwork(4);
const { manifest, networkId } = network;
const first = computeInitialBase(manifest.model, fromHex(manifest.seed));
const rootOf = (values: Float32Array): string => toHex(computeMerkleRoot(asBytes(values)));
let chain: BuiltChain;

test.before(async () => {
  chain = await buildChain(network, await mkdtemp(join(tmpdir(), 'tapestry-test-')), 3);
});

test.after.always(() => rm(chain.home, { recursive: true, force: true }));

/** A copy of the chain's home in which only the bases after these rounds are left. */
async function copyWith(t: ExecutionContext, rounds: readonly number[]): Promise<string> {
  const home = join(await makeTemporaryFolder(t), 'home');
  await cp(chain.home, home, { recursive: true });
  const blobs = join(home, 'networks', basename(chain.folder), 'blobs');
  for (const [at, { value }] of chain.rounds.entries()) {
    if (!rounds.includes(at + 1)) await rm(join(blobs, value.next), { force: true });
  }
  return home;
}

test('the newest base that is on the disk is loaded, with its network and round', async (t) => {
  const home = await copyWith(t, [1, 2]);
  const base = await loadBase({ home });
  t.like(base, { model: manifest.model, tokenizer: { kind: 'bytes' }, networkId, round: 2 });
  t.is(base.root, chain.rounds[1]!.value.next);
  t.is(rootOf(base.parameters), base.root);
  t.is(base.from, `base after round 2 of "small" (${networkId.slice(0, 16)})`);
});

test('a round is loaded by its number, in the network that is named', async (t) => {
  for (const id of [networkId, networkId.slice(0, 16)]) {
    const base = await loadBase({ home: chain.home, network: id, round: 1 });
    t.is(rootOf(base.parameters), chain.rounds[0]!.value.next);
  }
  await t.throwsAsync(loadBase({ home: chain.home, network: '0'.repeat(16) }), { code: 'network-missing' });
});

test('the base of round 0 follows from the seed, also before the peer has run', async (t) => {
  const home = await makeTemporaryFolder(t);
  await createNetworkFolder(home, manifest);
  for (const request of [{ home }, { home: chain.home, round: 0 }]) {
    const base = await loadBase(request);
    t.deepEqual(base.parameters, first);
    t.like(base, { round: 0, root: rootOf(first) });
  }
});

test('a base that is not on the disk: the error says which are', async (t) => {
  const home = await copyWith(t, [2, 3]);
  const missing = {
    code: 'base-not-here',
    message: /the base after round 1, found the bases after rounds 0, 2 to 3 of 3/,
  };
  await t.throwsAsync(loadBase({ home, round: 1 }), missing);
  await t.throwsAsync(loadBase({ home, round: 4 }), { code: 'base-not-here', message: /after round 4, found/ });
});

test('a network that starts from a checkpoint has its first base among the blobs', async (t) => {
  const home = await makeTemporaryFolder(t);
  const parameters = computeInitialBase(smallModel, new Uint8Array(32));
  const founding = await prepareFounding({ model: smallModel, parameters, tokenizer: { kind: 'bytes' } });
  const { seed, voters, heldOut } = manifest;
  const init = { name: 'founded', rounds: 10, seed, voters, heldOutHash: heldOut.hash };
  const { blobs, ...rest } = founding;
  const { path } = await foundNetwork(home, createManifest('nano', { ...init, ...rest }), blobs);
  const base = await loadBase({ home });
  t.deepEqual(base.parameters, parameters);
  t.like(base, { round: 0, root: rootOf(parameters), model: smallModel });
  await rm(join(path, 'blobs', base.root));
  const none = { code: 'base-not-here', message: /the newest base, found no base of 0 rounds/ };
  await t.throwsAsync(loadBase({ home }), none);
});

test('looking at a home changes nothing, and works while its peer has the database open', async (t) => {
  const home = await copyWith(t, [1, 2, 3]);
  const before = await hashFiles(home);
  await loadBase({ home });
  t.deepEqual(await hashFiles(home), before);
  const path = join(home, 'networks', basename(chain.folder), 'peer.sqlite');
  const store = new SqliteStore(path);
  store.transaction(() => store.setMeta('peer', 'at work'));
  const { round } = await loadBase({ home });
  t.is(round, 3);
  t.is(store.getMeta('peer'), 'at work');
  store.setMeta('peer', 'still');
  store.close();
});

test('a damaged base is refused and left where it is', async (t) => {
  const home = await copyWith(t, [3]);
  const blobs = join(home, 'networks', basename(chain.folder), 'blobs');
  const root = chain.rounds[2]!.value.next;
  await cp(join(blobs, (await readdir(blobs)).find((name) => name !== root)!), join(blobs, root));
  const names = await readdir(blobs);
  await t.throwsAsync(loadBase({ home }), { code: 'blob-corrupt' });
  t.deepEqual(await readdir(blobs), names);
});

test('--model is an imported model or a folder, alone; without it a base is meant', async (t) => {
  const home = await copyWith(t, [3]);
  const source = join(home, 'source');
  const parameters = computeInitialBase(smallModel, new Uint8Array(32));
  await writeCheckpoint(source, { model: smallModel, parameters, tokenizer: { kind: 'bytes' } });
  const { folder } = await importModel(home, source, 'mine');
  for (const [model, from] of [
    ['mine', folder],
    [source, source],
  ] as const) {
    const loaded = await loadModel({ home, model });
    t.deepEqual(loaded.parameters, parameters);
    t.is(loaded.from, `model in ${from}`);
  }
  t.is((await loadModel({ home })).from, `base after round 3 of "small" (${networkId.slice(0, 16)})`);
  for (const more of [{ round: 1 }, { network: networkId }]) {
    await t.throwsAsync(loadModel({ home, model: 'mine', ...more }), { code: 'model-ambiguous' });
  }
  await t.throwsAsync(loadModel({ home: join(home, 'none') }), { code: 'network-missing' });
});
