import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { planTestnet, type TestnetWishes } from '../../../src/cli/testnet/plan-testnet.ts';
import { locateNetwork } from '../../../src/peer/network-folder.ts';
import { TapestryError } from '../../../src/protocol/errors.ts';
import { createCaughtContext } from '../../helpers/fake-modules.ts';
import { byteModel, makeModelFolder } from '../../helpers/model-folder.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

const device = { kind: 'cpu' } as const;
const wishes: TestnetWishes = { peers: 5, rounds: 7, preset: 'nano', set: [], data: [], device, typed: [] };

test('every peer has a home, an identity, a kind of text and the same manifest', async (t) => {
  const dir = await makeTemporaryFolder(t);
  const plan = await planTestnet(createCaughtContext(), { ...wishes, dir });
  t.deepEqual(
    plan.peers.map((peer) => peer.data),
    [0, 1, 2, 3, 0].map((kindIndex) => ({ kind: 'starter', kindIndex })),
  );
  t.is(new Set(plan.peers.map((peer) => peer.home)).size, 5);
  t.deepEqual(
    plan.manifest.voters.map((voter) => voter.member),
    ['peer-0', 'peer-1', 'peer-2', 'peer-3', 'peer-4'],
  );
  t.is(plan.manifest.inner.decaySteps, 70);
  t.is(plan.threads, 1);
});

test('the threads of the machine are shared out', async (t) => {
  const context = { ...createCaughtContext(), threads: 16 };
  t.is((await planTestnet(context, { ...wishes, dir: await makeTemporaryFolder(t) })).threads, 3);
});

test('folders of text are dealt out in turn', async (t) => {
  const dir = await makeTemporaryFolder(t);
  const [a, b] = [join(dir, 'a'), join(dir, 'b')];
  for (const folder of [a, b]) {
    await mkdir(folder);
    await writeFile(join(folder, 'text.txt'), 'a line of text\n');
  }
  const plan = await planTestnet(createCaughtContext(), { ...wishes, dir: join(dir, 'net'), data: [a, b] });
  t.deepEqual(
    plan.peers.map((peer) => peer.data),
    [a, b, a, b, a].map((path) => ({ kind: 'path', paths: [path] })),
  );
});

test('a model is what all peers start from, and it stays with the testnet', async (t) => {
  const dir = await makeTemporaryFolder(t);
  const plan = await planTestnet(createCaughtContext(), { ...wishes, dir, peers: 3, model: await makeModelFolder(t) });
  t.deepEqual(plan.manifest.model, byteModel);
  const { initialBase } = plan.manifest;
  const root = initialBase.kind === 'checkpoint' ? initialBase.root : t.fail();
  for (const { home } of plan.peers) {
    t.true(existsSync(join(locateNetwork(home, plan.networkId), 'blobs', String(root))));
  }
  const again = planTestnet(createCaughtContext(), { ...wishes, dir, model: 'other', typed: ['model'] });
  t.is((await t.throwsAsync(again, { instanceOf: TapestryError })).code, 'testnet-fixed');
});

test('a seed repeats the whole testnet, no seed never does', async (t) => {
  const plan = async (seed?: string): Promise<string> => {
    const dir = await makeTemporaryFolder(t);
    return (await planTestnet(createCaughtContext(), { ...wishes, dir, ...(seed && { seed }) })).networkId;
  };
  t.is(await plan('one'), await plan('one'));
  t.not(await plan('one'), await plan('two'));
  t.not(await plan(), await plan());
});

test('an earlier testnet goes on with its rounds unless others are asked for', async (t) => {
  const dir = await makeTemporaryFolder(t);
  const first = await planTestnet(createCaughtContext(), { ...wishes, dir });
  const again = await planTestnet(createCaughtContext(), { ...wishes, rounds: 60, dir });
  t.like(again, { resumed: true, rounds: 7, networkId: first.networkId, peers: first.peers });
  const more = await planTestnet(createCaughtContext(), { ...wishes, rounds: 9, dir, typed: ['rounds'] });
  t.is(more.rounds, 9);
  t.is((await planTestnet(createCaughtContext(), { ...wishes, dir })).rounds, 9);
});

const refused: [title: string, code: string, file: string | null, changes: Partial<TestnetWishes>][] = [
  ['a folder with something else in it', 'testnet-folder', 'thesis.txt', {}],
  ['a damaged record', 'testnet-folder', 'testnet.json', {}],
  ['a missing data folder', 'data-missing', null, { data: ['/nowhere/at/all'] }],
  ['an unknown setting', 'setting-unknown-key', null, { set: [['no.such', '1']] }],
];

for (const [title, code, file, changes] of refused) {
  test(`refuses ${title}`, async (t) => {
    const dir = await makeTemporaryFolder(t);
    if (file !== null) await writeFile(join(dir, file), 'oops');
    const error = await t.throwsAsync(planTestnet(createCaughtContext(), { ...wishes, dir, ...changes }), {
      instanceOf: TapestryError,
    });
    t.is(error.code, code);
  });
}
