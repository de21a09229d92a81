import test from 'ava';
import fc from 'fast-check';
import { decodeCanonical, encodeCanonical } from '../../src/protocol/codec.ts';
import { equalBytes, fromHex } from '../../src/protocol/hex.ts';

const cap = 10_000;
const leaf = fc.oneof(
  fc.integer({ min: -(2 ** 40), max: 2 ** 53 - 1 }),
  fc.string(),
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom(null, true, false),
);
const data = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('tree'), { maxLength: 5 }),
    fc.dictionary(fc.string(), tie('tree'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).tree;

test('plain data become dag-cbor and come back', (t) => {
  const value = { b: [1, -2, 'x', null, true], aa: Uint8Array.of(7), a: { c: 2 ** 53 - 1 } };
  const bytes = encodeCanonical(value);
  t.deepEqual(decodeCanonical(bytes, cap), { outcome: 'accept', value });
});

test('keys are sorted by length, then by their bytes, whatever the order they were given in', (t) => {
  t.deepEqual(encodeCanonical({ bb: 1, a: 2, c: 3 }), fromHex('a3616102616303626262' + '01'));
  t.deepEqual(encodeCanonical({ bb: 1, a: 2, c: 3 }), encodeCanonical({ c: 3, bb: 1, a: 2 }));
});

test('the cap is compared before anything is read', (t) => {
  const garbage = new Uint8Array(11).fill(0xff);
  t.deepEqual(decodeCanonical(garbage, 10), {
    outcome: 'reject',
    reason: 'too-large',
    facts: { expected: 10, actual: 11 },
  });
  t.is(decodeCanonical(encodeCanonical('123456789'), 10).outcome, 'accept');
});

/** Each stands for one way in which bytes are no dag-cbor at all. */
const broken: Readonly<Record<string, string>> = {
  nothing: '',
  'a text that ends early': '6361',
  'a byte after the end': '0101',
  'a map with one key twice': 'a2616101616102',
  'an indefinite list': '9f01ff',
  'an unknown tag': 'c100',
  'a float that is no number': 'fb7ff8000000000000',
  infinity: 'fb7ff0000000000000',
  'a simple value': 'f0',
};
for (const [name, hex] of Object.entries(broken)) {
  test(`refuses ${name}`, (t) => {
    const checked = decodeCanonical(fromHex(hex), cap);
    t.is(checked.outcome === 'reject' && checked.reason, 'not-cbor');
  });
}

/** Each is readable, and has another encoding that is the canonical one. */
const second: Readonly<Record<string, string>> = {
  'keys that are not sorted': 'a2616201616102',
  'keys sorted by their bytes before their length': 'a262616101616202',
  'undefined for null': 'f7',
  'a 16-bit float': 'f93e00',
  'a 32-bit float': 'fa3fc00000',
  'a whole number as a float': 'fb3ff0000000000000',
};
for (const [name, hex] of Object.entries(second)) {
  test(`refuses ${name}`, (t) => {
    const checked = decodeCanonical(fromHex(hex), cap);
    t.true(checked.outcome === 'reject' && ['not-canonical', 'not-cbor'].includes(checked.reason));
  });
}

for (const [name, hex] of Object.entries({ integer: '1801', text: '780161', bytes: '580100', list: '980101' })) {
  test(`refuses a longer ${name} header than needed`, (t) => {
    t.is(decodeCanonical(fromHex(hex), cap).outcome, 'reject');
  });
}

test('deep nesting is refused, not a crash', (t) => {
  const bytes = new Uint8Array(60_000).fill(0x81);
  t.is(decodeCanonical(bytes, 65_536).outcome, 'reject');
});

test('a key named like the prototype is a key like any other', (t) => {
  const checked = decodeCanonical(fromHex('a1695f5f70726f746f5f5fa1647479706501'), cap);
  t.deepEqual(checked.outcome === 'accept' && Object.keys(checked.value as object), ['__proto__']);
  t.is((checked.outcome === 'accept' && (checked.value as { type?: unknown }).type) || undefined, undefined);
});

test('what decodes encodes to the same bytes again', (t) => {
  fc.assert(
    fc.property(data, (value) => {
      const bytes = encodeCanonical(value);
      const checked = decodeCanonical(bytes, cap);
      return bytes.length > cap || (checked.outcome === 'accept' && equalBytes(encodeCanonical(checked.value), bytes));
    }),
    { seed: 30_002, numRuns: 500 },
  );
  t.pass();
});

test('random bytes are never an exception, and what is accepted is canonical', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const checked = decodeCanonical(bytes, cap);
      return checked.outcome === 'reject' || equalBytes(encodeCanonical(checked.value), bytes);
    }),
    { seed: 30_003, numRuns: 3000 },
  );
  t.pass();
});
