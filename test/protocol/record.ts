import test from 'ava';
import { decodeRecord, encodeRecord, type FieldKind, type RecordFields } from '../../src/protocol/record.ts';

const hash = 'ab'.repeat(32);
const hashBytes = new Uint8Array(32).fill(0xab);
const signature = new Uint8Array(64).fill(1);
const nested: FieldKind = { kind: 'records', fields: { x: { kind: 'uint' } }, maxItems: 2 };

interface Case {
  readonly kind: FieldKind;
  /** wire data that are taken, with what they become inside */
  readonly good: readonly (readonly [wire: unknown, inside: unknown])[];
  readonly bad: readonly unknown[];
}

const cases: Readonly<Record<string, Case>> = {
  hash: { kind: { kind: 'hash' }, good: [[hashBytes, hash]], bad: [hash, null, hashBytes.subarray(1), 7] },
  'hash-or-null': {
    kind: { kind: 'hash-or-null' },
    good: [
      [hashBytes, hash],
      [null, null],
    ],
    bad: [hash, new Uint8Array(33), 0, ''],
  },
  signature: { kind: { kind: 'signature' }, good: [[signature, '01'.repeat(64)]], bad: [hashBytes, null, 'x'] },
  uint: {
    kind: { kind: 'uint' },
    good: [0, 1, Number.MAX_SAFE_INTEGER].map((number) => [number, number] as const),
    bad: [-1, 0.5, 2n ** 60n, '1', null],
  },
  'view-or-none': {
    kind: { kind: 'view-or-none' },
    good: [-1, 0, 9].map((view) => [view, view] as const),
    bad: [-2, null],
  },
  text: { kind: { kind: 'text', oneOf: ['a', 'b'] }, good: [['b', 'b']], bad: ['c', '', null, 1] },
  bytes: {
    kind: { kind: 'bytes', maxBytes: 2 },
    good: [
      [new Uint8Array(0), new Uint8Array(0)],
      [new Uint8Array(2), new Uint8Array(2)],
    ],
    bad: [new Uint8Array(3), 'ab', null],
  },
  hashes: {
    kind: { kind: 'hashes', maxItems: 2 },
    good: [
      [[], []],
      [
        [hashBytes, hashBytes],
        [hash, hash],
      ],
    ],
    bad: [[hashBytes, hashBytes, hashBytes], [hashBytes.subarray(1)], [hash], hashBytes, null, {}],
  },
  'byte-strings': {
    kind: { kind: 'byte-strings', maxItems: 2, maxBytes: 1 },
    good: [[[new Uint8Array(1)], [new Uint8Array(1)]]],
    bad: [[new Uint8Array(2)], [new Uint8Array(0), new Uint8Array(0), new Uint8Array(0)], ['a'], 'a'],
  },
  texts: {
    kind: { kind: 'texts', maxItems: 1, maxBytes: 2 },
    good: [[['ab'], ['ab']]],
    bad: [['abc'], ['a', 'b'], [1], 'ab'],
  },
  records: {
    kind: nested,
    good: [
      [
        [{ x: 1 }, { x: 2 }],
        [{ x: 1 }, { x: 2 }],
      ],
    ],
    bad: [[{ x: 1 }, { x: 1 }, { x: 1 }], [{ x: -1 }], [{ x: 1, y: 1 }], [{}], [null], { x: 1 }],
  },
};

for (const [name, { kind, good, bad }] of Object.entries(cases)) {
  test(`${name}: what is of the kind is read and written back, what is not is refused`, (t) => {
    for (const [wire, inside] of good) {
      t.deepEqual(decodeRecord({ field: kind }, { field: wire }), { outcome: 'accept', value: { field: inside } });
      t.deepEqual(encodeRecord({ field: kind }, { field: inside }), { field: wire });
    }
    for (const wire of bad) {
      t.deepEqual(decodeRecord({ field: kind }, { field: wire }), {
        outcome: 'reject',
        reason: 'field-kind',
        facts: { field: 'field', expected: kind.kind },
      });
    }
  });
}

test('a record is a map with exactly its fields', (t) => {
  const fields: RecordFields = { a: { kind: 'uint' }, b: { kind: 'uint' } };
  t.deepEqual(decodeRecord(fields, { a: 1 }), { outcome: 'reject', reason: 'field-missing', facts: { field: 'b' } });
  t.deepEqual(decodeRecord(fields, { a: 1, b: 2, c: 3 }), {
    outcome: 'reject',
    reason: 'field-unknown',
    facts: { field: 'c' },
  });
  for (const other of [null, [], 'a', 1, new Uint8Array(2)]) {
    t.deepEqual(decodeRecord(fields, other), { outcome: 'reject', reason: 'not-a-record', facts: {} });
  }
});

test('a field that every object has by nature is still missing', (t) => {
  const fields: RecordFields = Object.fromEntries([['toString', { kind: 'uint' } as const]]);
  const checked = decodeRecord(fields, {});
  t.is(checked.outcome === 'reject' && checked.reason, 'field-missing');
});

test('a long unknown name is not repeated in full', (t) => {
  const checked = decodeRecord({}, { ['x'.repeat(1000)]: 1 });
  t.deepEqual(checked, { outcome: 'reject', reason: 'field-unknown', facts: { field: 'x'.repeat(40) } });
});

test('writing a record leaves out what is not one of its fields', (t) => {
  t.deepEqual(encodeRecord({ a: { kind: 'uint' } }, { a: 1, secret: 2 }), { a: 1 });
});
