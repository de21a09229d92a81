/**
 * Real processes on loopback: a voter that starts rounds late and a peer that joins by link download the base instead
 * of training alone, refuse a source that serves a wrong byte, and take part.
 */

import { join } from 'node:path';
import test from 'ava';
import { loadIdentity } from '../../../src/peer/identity.ts';
import { SqliteStore } from '../../../src/peer/storage/sqlite-store.ts';
import { verifyHome } from '../../../src/peer/verify-home.ts';
import { toHex } from '../../../src/protocol/hex.ts';
import { decodeValue } from '../../../src/protocol/value.ts';
import { createRealNetwork, helperUrl, networkFolderOf, RealPeer, startRealPeer } from '../../helpers/real-peer.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

const lateBy = 5;

/** Rounds that included a contribution of this key, with a weight. */
function findInclusions(folder: string, key: string): number[] {
  const store = new SqliteStore(join(folder, 'peer.sqlite'), { readOnly: true });
  const values = store.certifiedRange(1, 1000).map(({ value }) => decodeValue(value));
  store.close();
  return values.flatMap((value) => {
    const isIn = value.outcome === 'accept' && value.value.contributions.some((e) => e.key === key && e.weight > 0);
    return isIn ? [value.value.round] : [];
  });
}

test('a voter five rounds late and a peer that joins by link reach the same root without training alone, and take part', async (t) => {
  t.timeout(180_000);
  const folder = await makeTemporaryFolder(t);
  const network = await createRealNetwork(folder, 4);
  const [first, second, third, lateHome] = network.homes as [string, string, string, string];
  // One of the sources has a disk that lies: whoever fetches from it must notice and ask another.
  const liar = { file: helperUrl('flip-byte.ts'), environment: {} };
  const founder = startRealPeer(network, first, []);
  const address = await founder.address();
  const peers = [founder, startRealPeer(network, second, [address], { preload: liar })];
  peers.push(startRealPeer(network, third, [address]));
  await founder.waitForRound(lateBy);

  const lyingAddress = await peers[1]!.address();
  const late = startRealPeer(network, lateHome, [lyingAddress]);
  const joinerHome = join(folder, 'joiner');
  const link = `tapestry:${network.id}@${lyingAddress}`;
  const joinArgs = [
    'join',
    link,
    '--home',
    joinerHome,
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--threads',
    '1',
    '--json',
  ];
  const joiner = new RealPeer({ args: joinArgs });
  const newcomers = [late, joiner];
  await Promise.all(newcomers.map((peer) => peer.waitFor('sync', ({ event }) => event === 'peer.synced')));
  // How soon a joiner is fast enough for its first round depends on what else this machine does.
  const whole = await founder.waitFor(
    'a round with all five',
    ({ event, included }) => event === 'round.certified' && included === 5,
  );
  const target = (whole.round ?? 0) + 1;
  await Promise.all([...peers, ...newcomers].map((peer) => peer.waitForRound(target)));
  await Promise.all([...peers, ...newcomers].map((peer) => peer.stop()));

  for (const peer of newcomers) {
    const trained = peer.events.filter(({ event }) => event === 'training.progressed').map(({ round }) => round ?? 0);
    t.true(Math.min(...trained) > lateBy, `trained round ${Math.min(...trained)}`);
  }
  for (const peer of newcomers) {
    t.true(
      peer.events.some(({ event }) => event === 'blob.source-refused'),
      'the lying source was found out',
    );
    t.true(
      peer.events.some(({ event }) => event === 'base.fetched'),
      'another one was asked',
    );
  }
  const homes = [...network.homes, joinerHome];
  const verdicts = await Promise.all(homes.map((home) => verifyHome(networkFolderOf(network, home))));
  for (const verdict of verdicts) {
    t.true(verdict.valid, verdict.problem);
    t.is(verdict.rootsByRound[target - 1], verdicts[0]!.rootsByRound[target - 1]);
  }
  for (const home of [lateHome, joinerHome]) {
    const key = toHex(loadIdentity(join(home, 'identity.seed')).publicKey);
    const inclusions = findInclusions(networkFolderOf(network, first), key);
    t.true(inclusions.length > 0, `${home} was never included`);
    t.true(Math.min(...inclusions) > lateBy);
  }
});
