import { createHash } from 'node:crypto';
import test from 'ava';
import { computeLeafHashes, computeMerkleRoot, computeRootOfLeaves, leafLength } from '../../src/protocol/merkle.ts';
import { generateBytes } from '../helpers/vectors/data.ts';

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());
}

const leaf = (...bytes: number[]): Uint8Array => sha256(Uint8Array.of(0), Uint8Array.from(bytes));
const node = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256(Uint8Array.of(1), left, right);

test('empty bytes are one empty leaf', (t) => {
  t.deepEqual(computeMerkleRoot(new Uint8Array(0)), leaf());
  t.is(computeLeafHashes(new Uint8Array(0)).length, 1);
});

test('the root of one leaf is its hash', (t) => {
  t.deepEqual(computeMerkleRoot(Uint8Array.of(1, 2, 3)), leaf(1, 2, 3));
});

test('leaves are cut at 256 KiB and the last is as short as it is', (t) => {
  const bytes = generateBytes(leafLength + 2);
  t.deepEqual(computeLeafHashes(bytes), [
    sha256(Uint8Array.of(0), bytes.subarray(0, leafLength)),
    sha256(Uint8Array.of(0), bytes.subarray(leafLength)),
  ]);
  t.is(computeLeafHashes(bytes.subarray(0, leafLength)).length, 1);
});

test('an odd last node moves up unchanged', (t) => {
  const [a, b, c, d, e] = [1, 2, 3, 4, 5].map((byte) => leaf(byte)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  t.deepEqual(computeRootOfLeaves([a, b, c]), node(node(a, b), c));
  t.deepEqual(computeRootOfLeaves([a, b, c, d, e]), node(node(node(a, b), node(c, d)), e));
});

test('leaves and nodes hash apart, so that two leaf hashes are not a leaf', (t) => {
  const [a, b] = [leaf(1), leaf(2)];
  t.notDeepEqual(computeRootOfLeaves([a, b]), computeMerkleRoot(Buffer.concat([a, b])));
});

test('the root follows every byte and the order of the leaves', (t) => {
  const bytes = generateBytes(3 * leafLength);
  const root = computeMerkleRoot(bytes);
  for (const offset of [0, leafLength, bytes.length - 1]) {
    const changed = bytes.slice();
    changed[offset]! ^= 1;
    t.notDeepEqual(computeMerkleRoot(changed), root);
  }
  t.notDeepEqual(computeRootOfLeaves(computeLeafHashes(bytes).reverse()), root);
});

test('the root is a copy, not the leaf hash that was given', (t) => {
  const hash = leaf(1);
  const root = computeRootOfLeaves([hash]);
  root[0]! ^= 1;
  t.deepEqual(hash, leaf(1));
});

test('there is no root of no leaves', (t) => {
  t.throws(() => computeRootOfLeaves([]), { instanceOf: RangeError });
});
