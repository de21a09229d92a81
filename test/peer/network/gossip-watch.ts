import type { Connection } from '@libp2p/interface';
import test from 'ava';
import { GossipWatch, hasGossip } from '../../../src/peer/network/gossip-watch.ts';

/** A connection with streams such as `in`, `out` (gossip) and `other`. */
function connection(...streams: string[]): Connection {
  const kinds: Record<string, object> = {
    in: { protocol: '/meshsub/1.1.0', direction: 'inbound', status: 'open' },
    out: { protocol: '/meshsub/1.1.0', direction: 'outbound', status: 'open' },
    'out, reset': { protocol: '/meshsub/1.1.0', direction: 'outbound', status: 'reset' },
    other: { protocol: '/ipfs/ping/1.0.0', direction: 'outbound', status: 'open' },
  };
  return { streams: streams.map((name) => kinds[name]) } as unknown as Connection;
}

test('gossip needs an open stream each way, on whichever connection', (t) => {
  t.true(hasGossip([connection('in', 'other', 'out')]));
  t.true(hasGossip([connection('in'), connection('out')]));
  for (const streams of [['in'], ['out'], ['in', 'other'], ['in', 'out, reset'], []]) {
    t.false(hasGossip([connection(...streams)]), streams.join());
  }
});

test('a peer without gossip is named at the second look, then at ever longer intervals', (t) => {
  const watch = new GossipWatch();
  const named: number[] = [];
  for (let look = 1; look <= 200; look++) {
    if (watch.check(new Map([['a', [connection('in')]]])).length > 0) named.push(look);
  }
  t.deepEqual(named, [2, 6, 14, 30, 62, 126, 190]);
});

test('patience is as short as ever once gossip was seen, and each peer has its own', (t) => {
  const watch = new GossipWatch();
  const look = (...streams: string[]) =>
    watch.check(
      new Map([
        ['a', [connection(...streams)]],
        ['b', []],
      ]),
    );
  t.deepEqual(look('in'), []);
  t.deepEqual(look('in', 'out'), ['b']);
  t.deepEqual(look('in'), []);
  t.deepEqual(look('in'), ['a']);
});
