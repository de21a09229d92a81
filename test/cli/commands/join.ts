import test from 'ava';
import { formatJoinLink } from '../../../src/cli/join-link.ts';
import { runProgram } from '../../../src/cli/program.ts';
import type { FetchManifestInit } from '../../../src/peer/fetch-manifest.ts';
import { listNetworkFolders, openNetworkFolder } from '../../../src/peer/network-folder.ts';
import { toHex } from '../../../src/protocol/hex.ts';
import { computeNetworkId } from '../../../src/protocol/manifest-canonical.ts';
import { createCaughtContext, fetchedManifest } from '../../helpers/fake-modules.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

const networkId = toHex(computeNetworkId(fetchedManifest));
const addresses = ['/ip4/127.0.0.1/tcp/4731/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'];
const link = formatJoinLink({ networkId, addresses });

test('a joiner fetches the manifest once, keeps it, and trains', async (t) => {
  const home = await makeTemporaryFolder(t);
  const context = createCaughtContext();
  const asked: FetchManifestInit[] = [];
  const modules = {
    ...context.modules,
    fetchManifest: (request: FetchManifestInit) => {
      asked.push(request);
      return context.modules.fetchManifest(request);
    },
  };
  t.is(await runProgram(['join', link, '--home', home, '--until-round', '2'], { ...context, modules }), 0);
  t.is(await runProgram(['join', link, '--home', home, '--until-round', '3'], { ...context, modules }), 0);
  t.is(asked.length, 1);
  t.like(asked[0]!, { networkId, addresses });
  const { manifest } = await openNetworkFolder((await listNetworkFolders(home))[0]!);
  t.deepEqual(manifest, fetchedManifest);
  t.regex(context.out(), /^Joining network "fetched"/m);
});

test('a manifest of another network is refused and not kept', async (t) => {
  const home = await makeTemporaryFolder(t);
  const context = createCaughtContext();
  const other = formatJoinLink({ networkId: 'ab'.repeat(32), addresses });
  t.is(await runProgram(['join', other, '--home', home], context), 1);
  t.regex(context.err(), /expected network abab.*, found [0-9a-f]{64}\nAsk for a fresh link/);
  t.deepEqual(await listNetworkFolders(home), []);
});

test('a link that is none is refused before anything is made', async (t) => {
  const home = await makeTemporaryFolder(t);
  const context = createCaughtContext();
  t.is(await runProgram(['join', 'tapestry:oops', '--home', home], context), 1);
  t.regex(context.err(), /^tapestry-peer: the link: expected .*\nCopy the whole line/);
});
