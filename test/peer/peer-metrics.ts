import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { madeUp } from '../../simulations/round-node.ts';
import { PeerMetrics } from '../../src/peer/peer-metrics.ts';
import { SqliteStore } from '../../src/peer/storage/sqlite-store.ts';
import type { OutcomeCode, Value } from '../../src/protocol/value.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

const self = madeUp('self');

async function openStore(t: ExecutionContext): Promise<SqliteStore> {
  const store = new SqliteStore(join(await makeTemporaryFolder(t), 'peer.sqlite'));
  t.teardown(() => store.close());
  return store;
}

function valueWith(...entries: [key: string | null, outcome: OutcomeCode][]): Value {
  const contributions = entries.map(([key, outcome]) => ({
    contribution: madeUp('c'),
    key,
    outcome,
    weight: 1,
    clip: 1,
  }));
  return { contributions } as unknown as Value;
}

test('counts what was included, and what was revealed in vain', async (t) => {
  const metrics = new PeerMetrics(await openStore(t), self);
  metrics.countRound(valueWith([madeUp('other'), 'included'], [self, 'included']), true);
  metrics.countRound(valueWith([self, 'included']), false);
  metrics.countRound(valueWith([self, 'equivocated']), true);
  metrics.countRound(valueWith([null, 'unavailable'], [madeUp('other'), 'included']), true);
  metrics.countRound(valueWith([madeUp('other'), 'included']), false);
  t.is(metrics.included, 2);
  t.is(metrics.rejected, 2);
});

test('overhead is the share of the rounds that was not spent training', async (t) => {
  const metrics = new PeerMetrics(await openStore(t), self);
  t.is(metrics.overhead, 0);
  metrics.countTime(1000, 750);
  t.is(metrics.overhead, 0.25);
  metrics.countTime(1000, 5000);
  t.is(metrics.trainMs, 1750, 'training beyond the round is not part of it');
  t.is(metrics.overhead, 0.125);
  metrics.countTime(1500, 0);
  t.is(metrics.overhead, 0.5);
});

test('losses outlive a restart, the first one for ever', async (t) => {
  const store = await openStore(t);
  const measured = (mean: number): Parameters<PeerMetrics['setHeldOut']>[0] => {
    return { mean, perKind: [{ kind: 'md', loss: mean + 1, bytes: 9 }] };
  };
  const metrics = new PeerMetrics(store, self);
  t.deepEqual(metrics.losses, { first: null, last: null, own: null, perKind: {} });
  metrics.setHeldOut(measured(5.5));
  metrics.setHeldOut(measured(2.25));
  metrics.setOwn(1.5);
  const again = new PeerMetrics(store, self);
  t.deepEqual(again.losses, { first: 5.5, last: 2.25, own: 1.5, perKind: { md: 3.25 } });
  again.setHeldOut(measured(2));
  t.deepEqual(again.losses, { first: 5.5, last: 2, own: 1.5, perKind: { md: 3 } });
});

test('losses that cannot be read are forgotten', async (t) => {
  const store = await openStore(t);
  for (const broken of [Uint8Array.of(1, 2, 3), 'text']) {
    store.setMeta('losses', broken);
    t.deepEqual(new PeerMetrics(store, self).losses, { first: null, last: null, own: null, perKind: {} });
  }
});
