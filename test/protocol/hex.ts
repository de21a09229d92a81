import test from 'ava';
import fc from 'fast-check';
import { compareText, equalBytes, fromHex, isHex, toHex } from '../../src/protocol/hex.ts';

const bytes = fc.uint8Array({ maxLength: 40 });

test('bytes become lower-case hex and come back', (t) => {
  t.is(toHex(Uint8Array.of(0, 1, 0xab, 0xff)), '0001abff');
  t.deepEqual(fromHex('0001abff'), Uint8Array.of(0, 1, 0xab, 0xff));
  t.deepEqual(fromHex(''), new Uint8Array());
});

test('a view into a larger buffer gives its own bytes alone', (t) => {
  t.is(toHex(Uint8Array.of(1, 2, 3, 4).subarray(1, 3)), '0203');
});

for (const text of ['a', 'ABCD', 'zz', '0x12', 'ab cd']) {
  test(`"${text}" is not hex`, (t) => {
    t.throws(() => fromHex(text), { instanceOf: TypeError, message: /even number of lower-case hex digits/ });
  });
}

test('a hash is 32 bytes of lower-case hex and nothing else', (t) => {
  t.true(isHex('0a'.repeat(32)));
  t.true(isHex('0a', 1));
  for (const other of ['0A'.repeat(32), '0a'.repeat(31), `${'0a'.repeat(31)}0`, `${'0a'.repeat(31)}0g`, '', 7, null]) {
    t.false(isHex(other), String(other));
  }
});

test('equal bytes are those of equal length and content', (t) => {
  t.true(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  t.false(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  t.false(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0)));
});

test('hex round-trips, and the order of texts is the order of the bytes', (t) => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const order = compareText(toHex(a), toHex(b));
      return equalBytes(fromHex(toHex(a)), a) && order === Buffer.compare(a, b);
    }),
    { seed: 30_001, numRuns: 500 },
  );
  t.is(compareText('a', 'a'), 0);
});
