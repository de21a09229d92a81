import { createHash } from 'node:crypto';
import test from 'ava';
import { computeHash, encodeUint64 } from '../../src/protocol/hash.ts';
import { toHex } from '../../src/protocol/hex.ts';

const one = Uint8Array.of(1);
const two = Uint8Array.of(2, 3);

test('the domain comes first, then a zero byte, then the parts as they are', (t) => {
  const plain = createHash('sha256').update(Buffer.concat([Buffer.from('tapestry/test/v1'), Buffer.of(0), one, two]));
  t.is(toHex(computeHash('tapestry/test/v1', one, two)), plain.digest('hex'));
});

test('another domain, another part or another order gives another hash', (t) => {
  const hashes = [
    computeHash('a', one, two),
    computeHash('b', one, two),
    computeHash('a', two, one),
    computeHash('a', one),
    computeHash('a'),
  ].map(toHex);
  t.is(new Set(hashes).size, hashes.length);
});

test('a domain cannot be continued by what is hashed', (t) => {
  t.not(toHex(computeHash('ab', one)), toHex(computeHash('a', Uint8Array.of(0x62), one)));
});

test('whole numbers take eight bytes, the highest first', (t) => {
  t.is(toHex(encodeUint64(0)), '0000000000000000');
  t.is(toHex(encodeUint64(258)), '0000000000000102');
  t.is(toHex(encodeUint64(Number.MAX_SAFE_INTEGER)), '001fffffffffffff');
  t.throws(() => encodeUint64(0.5));
});
