import test from 'ava';
import { runProgram } from '../../../src/cli/program.ts';
import { createNetworkFolder, listNetworkFolders } from '../../../src/peer/network-folder.ts';
import { HomeLock } from '../../../src/peer/storage/home-lock.ts';
import { createExampleManifest } from '../../helpers/example-manifest.ts';
import { createCaughtContext } from '../../helpers/fake-modules.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

test('a home without a network says how to get one', async (t) => {
  const context = createCaughtContext();
  t.is(await runProgram(['status', '--home', await makeTemporaryFolder(t)], context), 0);
  t.regex(context.out(), /no network yet\. Found one with "tapestry-peer"/);
});

test('a network that never ran has no status', async (t) => {
  const home = await makeTemporaryFolder(t);
  const { networkId } = await createNetworkFolder(home, createExampleManifest());
  const context = createCaughtContext();
  t.is(await runProgram(['status', '--home', home, '--json'], context), 0);
  t.like(JSON.parse(context.out()).networks[0], { network: networkId, running: false, pid: null, status: null });
  const words = createCaughtContext();
  t.is(await runProgram(['status', '--home', home], words), 0);
  t.regex(words.out(), /"example" \([0-9a-f]{16}\): not running/);
});

test('the last status is told, and whether the peer still runs', async (t) => {
  const home = await makeTemporaryFolder(t);
  t.is(await runProgram(['--home', home, '--until-round', '3', '--device', 'cpu'], createCaughtContext()), 0);
  const lock = new HomeLock((await listNetworkFolders(home))[0]!);
  t.teardown(() => lock.release());
  const context = createCaughtContext();
  t.is(await runProgram(['status', '--home', home], context), 0);
  t.regex(context.out(), new RegExp(`running, process ${process.pid}\n`));
  t.regex(context.out(), / {2}round {10}3, phase train\n/);
  t.regex(context.out(), / {2}device {9}cpu\n/);
  t.regex(context.out(), / {2}held-out loss {2}1\.375 nats per byte, first 5\.500\n/);
});
