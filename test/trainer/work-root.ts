import { createHash } from 'node:crypto';
import test from 'ava';
import { computeMerkleRoot } from '../../src/protocol/merkle.ts';
import { computeWorkLeaf } from '../../src/trainer/work-root.ts';

const state = {
  parameters: Float32Array.of(1, 2),
  firstMoments: Float32Array.of(3, 4),
  secondMoments: Float32Array.of(5, 6),
};

test('a leaf is the hash of the step, the three roots, the loss and the norm', (t) => {
  const tail = Buffer.alloc(8);
  tail.writeFloatBE(2.5, 0);
  tail.writeFloatBE(0.75, 4);
  const roots = Object.values(state).map((values) => computeMerkleRoot(new Uint8Array(values.buffer)));
  const bytes = Buffer.concat([Buffer.from('tapestry/leaf/v1\0'), Buffer.of(0, 0, 0, 5), ...roots, tail]);
  t.deepEqual(Buffer.from(computeWorkLeaf(5, state, 2.5, 0.75)), createHash('sha256').update(bytes).digest());
});

test('every part changes the leaf', (t) => {
  const leaves = [
    computeWorkLeaf(5, state, 2.5, 0.75),
    computeWorkLeaf(6, state, 2.5, 0.75),
    computeWorkLeaf(5, state, 2.6, 0.75),
    computeWorkLeaf(5, state, 2.5, 0.76),
    computeWorkLeaf(5, { ...state, parameters: Float32Array.of(1, 3) }, 2.5, 0.75),
    computeWorkLeaf(5, { ...state, firstMoments: Float32Array.of(3, 3) }, 2.5, 0.75),
    computeWorkLeaf(5, { ...state, secondMoments: Float32Array.of(5, 5) }, 2.5, 0.75),
  ];
  t.is(new Set(leaves.map((leaf) => Buffer.from(leaf).toString('hex'))).size, leaves.length);
});
