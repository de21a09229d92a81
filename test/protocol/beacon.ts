import { createHash } from 'node:crypto';
import test from 'ava';
import { madeUp } from '../../simulations/round-node.ts';
import { chainBeacon } from '../../src/protocol/beacon.ts';

const sha256 = (...parts: readonly string[]): string =>
  createHash('sha256')
    .update('tapestry/beacon/v0\0')
    .update(Buffer.from(parts.join(''), 'hex'))
    .digest('hex');

test('the first beacon is a hash of the network id, each later one of the beacon and the value before it', (t) => {
  const network = madeUp('network');
  const first = chainBeacon.genesis(network);
  t.is(first, sha256(network));
  t.is(chainBeacon.next(first, network), sha256(first, network));
  t.is(chainBeacon.next(first, madeUp('value')), sha256(first, madeUp('value')));
});

test('another beacon or another value before it gives another beacon', (t) => {
  const [a, b] = [madeUp('a'), madeUp('b')];
  t.is(
    new Set([chainBeacon.next(a, b), chainBeacon.next(b, a), chainBeacon.next(a, a), chainBeacon.genesis(a)]).size,
    4,
  );
});
