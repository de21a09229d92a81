/** Real processes: how a peer is ended, and that it goes on from there whatever ended it. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { findRunningPeer } from '../../../src/peer/find-running-peer.ts';
import { verifyHome } from '../../../src/peer/verify-home.ts';
import { toHex } from '../../../src/protocol/hex.ts';
import { computeHeldOutHash } from '../../../src/trainer/data/starter-corpus.ts';
import { type BuiltChain, buildChain } from '../../helpers/built-chain.ts';
import { RealPeer } from '../../helpers/real-peer.ts';
import { runCommand, runInside } from '../../helpers/run-command.ts';
import { createSmallNetwork } from '../../helpers/small-network.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

const network = createSmallNetwork(1, [], toHex(computeHeldOutHash()));

/** A home with a chain of one round, and its peer at work. */
async function startOne(t: ExecutionContext): Promise<{ built: BuiltChain; peer: RealPeer; pid: number }> {
  const built = await buildChain(network, join(await makeTemporaryFolder(t), 'home'), 1);
  const peer = start(t, built);
  await peer.waitFor('its start', ({ event }) => event === 'peer.started');
  return { built, peer, pid: findRunningPeer(built.folder)! };
}

function start(t: ExecutionContext, { home }: BuiltChain): RealPeer {
  const peer = new RealPeer({ args: ['run', '--home', home, '--threads', '1', '--port', '0', '--json'] });
  t.teardown(() => peer.kill());
  return peer;
}

/** The rounds of a home whose chain holds in every round. */
async function countRounds(t: ExecutionContext, { folder }: BuiltChain): Promise<number> {
  const { valid, problem, rounds, recomputedRounds } = await verifyHome(folder);
  t.true(valid, problem);
  t.is(recomputedRounds, rounds);
  return rounds;
}

test('the stop command ends a peer in order and waits for it; it goes on from there', async (t) => {
  const { built, peer, pid } = await startOne(t);
  await peer.waitForRound(3);
  const end = await runCommand(['stop', '--home', built.home, '--json']);
  t.is(end.code, 0, end.err);
  t.deepEqual(JSON.parse(end.out), { home: built.home, stopped: [pid] });
  t.deepEqual(await peer.ended, { code: 0, signal: null });
  t.is(peer.errors, '');
  t.is(findRunningPeer(built.folder), null);
  t.false(existsSync(join(built.folder, 'lock.pid')));
  const rounds = await countRounds(t, built);
  t.true(rounds >= 3);
  const status = JSON.parse(await readFile(join(built.folder, 'status.json'), 'utf8'));
  t.is(status.round, rounds, 'the last status is that of the end');
  t.is(peer.events.at(-1)!.event, 'peer.stopped');

  const again = start(t, built);
  const started = await again.waitFor('its start', ({ event }) => event === 'peer.started');
  t.is(started.round, rounds);
  await again.waitForRound(rounds + 1);
  await again.stop();
  t.true((await countRounds(t, built)) > rounds);
});

test('Ctrl-C ends a peer in order, with its own exit code', async (t) => {
  const { built, peer, pid } = await startOne(t);
  await peer.waitFor('training', ({ event }) => event === 'training.progressed');
  process.kill(pid, 'SIGINT');
  t.deepEqual(await peer.ended, { code: 130, signal: null });
  t.is(peer.errors, '');
  t.is(peer.events.at(-1)!.event, 'peer.stopped');
  await countRounds(t, built);
});

test('a peer that was killed leaves no lock: nothing is there to stop, and the next start goes on', async (t) => {
  const { built, peer } = await startOne(t);
  await peer.waitForRound(2);
  await peer.kill();
  t.true(existsSync(join(built.folder, 'lock.pid')), 'nobody cleaned up');
  const end = await runInside(['stop', '--home', built.home]);
  t.is(end.code, 0);
  t.regex(end.out, /no peer is running/);
  const again = start(t, built);
  const started = await again.waitFor('its start', ({ event }) => event === 'peer.started');
  t.true(started.round! >= 2);
  await again.waitForRound(started.round! + 1);
  t.is((await runInside(['stop', '--home', built.home])).code, 0);
  t.is(findRunningPeer(built.folder), null, 'the command waits until it has ended');
  t.deepEqual(await again.ended, { code: 0, signal: null });
  t.true((await countRounds(t, built)) > started.round!);
});
