import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { parseJoinLink } from '../../../src/cli/join-link.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { findRunningPeer } from '../../../src/peer/find-running-peer.ts';
import { readInitialBase } from '../../../src/peer/founding-blobs.ts';
import { listNetworkFolders, type NetworkFolder, openNetworkFolder } from '../../../src/peer/network-folder.ts';
import { presets } from '../../../src/protocol/presets.ts';
import { readCheckpoint } from '../../../src/trainer/checkpoint/read-checkpoint.ts';
import { createCaughtContext } from '../../helpers/fake-modules.ts';
import { byteModel, makeModelFolder } from '../../helpers/model-folder.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

test('alone it founds a network of one, prints its link, and trains', async (t) => {
  const home = await makeTemporaryFolder(t);
  const context = createCaughtContext();
  t.is(await runProgram(['--home', home, '--preset', 'nano', '--until-round', '3', '--name', 'mine'], context), 0);
  const [folder] = await listNetworkFolders(home);
  const { manifest, networkId } = await openNetworkFolder(folder!);
  t.is(manifest.name, 'mine');
  t.is(manifest.model.dim, 64);
  t.is(manifest.voters.length, 1);
  const link = /npx tapestry-peer join "(.*)"/.exec(context.out())![1]!;
  t.is(parseJoinLink(link).networkId, networkId);
  t.regex(context.out(), /only this machine can join\. --host 0\.0\.0\.0 lets others in/);
  t.regex(context.out(), /^round 3\/3 {2}1\/1 on one root/m);
  const status = JSON.parse(await readFile(join(folder!, 'status.json'), 'utf8'));
  t.is(status.round, 3);
  t.is(findRunningPeer(folder!), null);
});

test('the second time it goes on with the same network', async (t) => {
  const home = await makeTemporaryFolder(t);
  t.is(await runProgram(['--home', home, '--until-round', '2', '--json'], createCaughtContext()), 0);
  const again = createCaughtContext();
  t.is(await runProgram(['--home', home, '--until-round', '4', '--json'], again), 0);
  const events = again
    .out()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.like(
    events.find(({ event }) => event === 'peer.started'),
    { round: 2 },
  );
  t.is(events.at(-1).summary.round, 4);
  t.regex(again.err(), /^Going on with network "tapestry"/);
  t.is((await listNetworkFolders(home)).length, 1);
});

test('--model founds a network that starts from the weights of a folder, or of an imported model', async (t) => {
  const home = await makeTemporaryFolder(t);
  const folder = await makeModelFolder(t);
  const found = async (model: string): Promise<NetworkFolder> => {
    const flags = ['--home', home, '--new', '--model', model, '--preset', 'nano', '--until-round', '1', '--json'];
    t.is(await runProgram(flags, createCaughtContext()), 0);
    return openNetworkFolder((await listNetworkFolders(home))[0]!);
  };
  const { manifest, path } = await found(folder);
  t.deepEqual(manifest.model, byteModel);
  t.is(manifest.inner.learningRate, presets.nano.learningRate);
  t.is(manifest.inner.sequenceLength, byteModel.contextLength);
  const { parameters } = await readCheckpoint(folder);
  t.deepEqual(await readInitialBase(manifest, path), parameters);
  t.is(await runProgram(['import', folder, '--home', home, '--name', 'mine', '--json'], createCaughtContext()), 0);
  const named = await found('mine');
  t.not(named.path, path);
  t.deepEqual(named.manifest.initialBase, manifest.initialBase);
});

test('--model is refused for an old network, and for weights that a setting has made unfit', async (t) => {
  const home = await makeTemporaryFolder(t);
  const folder = await makeModelFolder(t);
  const unfit = createCaughtContext();
  const flags = ['--home', home, '--model', folder, '--until-round', '1'];
  t.is(await runProgram([...flags, '--set', 'model.layers=3'], unfit), 1);
  t.regex(unfit.err(), /the first weights: expected \d+ parameters/);
  t.deepEqual(await listNetworkFolders(home), []);
  t.is(await runProgram(flags, createCaughtContext()), 0);
  const again = createCaughtContext();
  t.is(await runProgram(flags, again), 1);
  t.regex(again.err(), /--model: expected a new network/);
});

test('what only a new network can take is refused for an old one, and --new founds another', async (t) => {
  const home = await makeTemporaryFolder(t);
  t.is(await runProgram(['--home', home, '--until-round', '1'], createCaughtContext()), 0);
  const context = createCaughtContext();
  t.is(await runProgram(['--home', home, '--preset', 'nano'], context), 1);
  t.regex(context.err(), /^tapestry-peer: --preset: expected a new network, found .*\nAdd --new/);
  const anew = ['--home', home, '--preset', 'nano', '--new', '--until-round', '1'];
  t.is(await runProgram(anew, createCaughtContext()), 0);
  t.is((await listNetworkFolders(home)).length, 2);
});

test('Ctrl-C ends it with 130, the signal of "stop" with 0, and both give the folder back', async (t) => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 0],
  ] as const) {
    const home = await makeTemporaryFolder(t);
    const controller = new AbortController();
    const context = createCaughtContext({ idle: true }, controller.signal);
    const running = runProgram(['--home', home], context);
    while (!context.out().includes('join "')) await new Promise(setImmediate);
    controller.abort(signal);
    t.is(await running, code);
    const [folder] = await listNetworkFolders(home);
    t.is(findRunningPeer(folder!), null);
  }
});

test('settings reach the manifest, and a wrong one is named', async (t) => {
  const home = await makeTemporaryFolder(t);
  const set = ['--set', 'compressor.k=64', '--set', 'inner.steps=5'];
  t.is(await runProgram(['--home', home, ...set, '--until-round', '1'], createCaughtContext()), 0);
  const { manifest } = await openNetworkFolder((await listNetworkFolders(home))[0]!);
  t.is(manifest.compressor.topK, 64);
  t.is(manifest.inner.steps, 5);
  const context = createCaughtContext();
  t.is(await runProgram(['--home', home, '--new', '--set', 'compresor.k=64'], context), 1);
  t.regex(context.err(), /Did you mean compressor\.k\?/);
});

test('the same seed makes the same network', async (t) => {
  const ids: string[] = [];
  for (const seed of ['a', 'a', 'b']) {
    const home = join(await makeTemporaryFolder(t), 'same');
    const context = createCaughtContext();
    const loadOrCreateIdentity = context.modules.loadOrCreateIdentity;
    const modules = {
      ...context.modules,
      loadOrCreateIdentity: (path: string) => loadOrCreateIdentity(path, new Uint8Array(32)),
    };
    t.is(await runProgram(['--home', home, '--seed', seed, '--until-round', '1'], { ...context, modules }), 0);
    ids.push((await openNetworkFolder((await listNetworkFolders(home))[0]!)).networkId);
  }
  t.is(ids[0], ids[1]);
  t.not(ids[0], ids[2]);
});
