import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { madeUp } from '../../simulations/round-node.ts';
import { BaseKeeper, viewBytes } from '../../src/peer/base-keeper.ts';
import { BlobStore } from '../../src/peer/storage/blob-store.ts';
import { decodeBody, encodeBody } from '../../src/protocol/compressor/index.ts';
import { TapestryError } from '../../src/protocol/errors.ts';
import { toHex } from '../../src/protocol/hex.ts';
import { computeMerkleRoot } from '../../src/protocol/merkle.ts';
import { createOuterStep } from '../../src/protocol/outer-step.ts';
import { makeBody } from '../helpers/built-chain.ts';
import { createSmallNetwork } from '../helpers/small-network.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

const network = createSmallNetwork(3);
const { shape } = network;
const { outer } = network.manifest;
const one = 2 ** 30;

async function createBench(t: ExecutionContext): Promise<{ blobs: BlobStore; bases: BaseKeeper }> {
  const blobs = new BlobStore(await makeTemporaryFolder(t));
  return { blobs, bases: new BaseKeeper({ blobs, shape, outer }) };
}

function makeBase(fill: number): Float32Array {
  return new Float32Array(shape.length).fill(fill);
}

test('a base is named by the root of its bytes', async (t) => {
  const { bases } = await createBench(t);
  const values = makeBase(0.5);
  const root = bases.hold(values);
  t.is(root, toHex(computeMerkleRoot(viewBytes(values))));
  t.true(bases.holds(root));
  t.false(bases.holds(madeUp('another')));
  t.is(bases.sizeBytes, 4 * shape.length);
});

test('the bytes are those of the values, also of a part of a buffer', (t) => {
  const values = new Float32Array([1, 2, 3]).subarray(1);
  t.deepEqual([...viewBytes(values)], [...new Uint8Array(new Float32Array([2, 3]).buffer)]);
});

test('the base in use is on the disk, and alone in memory', async (t) => {
  const { bases } = await createBench(t);
  const [old, other, next] = [1, 2, 3].map((fill) => bases.hold(makeBase(fill)));
  t.true(await bases.use(next!));
  t.deepEqual(new Uint8Array(await readFile(bases.pathOf(next!))), viewBytes(makeBase(3)));
  t.deepEqual(
    [old, other, next].map((root) => bases.holds(root!)),
    [false, false, true],
  );
});

test('a base that is only on the disk is read from there', async (t) => {
  const { blobs, bases } = await createBench(t);
  const root = await blobs.put(viewBytes(makeBase(4)));
  t.true(await bases.use(root));
  t.true(bases.holds(root));
  t.is(await bases.computeNext(root, []), root, 'and it is what it was');
});

test('a base that is nowhere is not in use, and the present one stays', async (t) => {
  const { bases } = await createBench(t);
  const root = bases.hold(makeBase(1));
  t.false(await bases.use(madeUp('nowhere')));
  t.true(bases.holds(root));
});

test('a held base whose file was cut off is written again', async (t) => {
  const { bases } = await createBench(t);
  const root = bases.hold(makeBase(1));
  await bases.use(root);
  await truncate(bases.pathOf(root), 10);
  t.true(await bases.use(root));
  t.deepEqual(new Uint8Array(await readFile(bases.pathOf(root))), viewBytes(makeBase(1)));
});

test('a held base whose file has a flipped byte is written again', async (t) => {
  const { bases } = await createBench(t);
  const root = bases.hold(makeBase(1));
  await bases.use(root);
  await writeFile(bases.pathOf(root), viewBytes(makeBase(1)).with(9, 77));
  t.true(await bases.use(root));
  t.deepEqual(new Uint8Array(await readFile(bases.pathOf(root))), viewBytes(makeBase(1)));
});

test('the next base is the outer step over the bodies in the given order', async (t) => {
  const { blobs, bases } = await createBench(t);
  const base = bases.hold(makeBase(0.25));
  const bodies = [];
  const decoded = [];
  for (const [seed, weight] of [
    [1, one / 2],
    [2, one / 4],
    [3, one / 4],
  ] as const) {
    const bytes = makeBody(network, seed);
    const body = decodeBody(bytes, shape);
    if (body.outcome !== 'accept') return t.fail();
    bodies.push({ body: await blobs.put(bytes), weight, clip: 2 ** 16 });
    decoded.push({ body: body.value, weight, clip: 2 ** 16 });
  }
  const step = createOuterStep(makeBase(0.25), decoded, outer);
  step.run(0, step.length);
  const next = await bases.computeNext(base, bodies);
  t.is(next, toHex(computeMerkleRoot(viewBytes(step.next))));
  t.not(next, base);
  t.true(bases.holds(next), 'it is held until it is in use');
  t.true(bases.holds(base), 'the present one is still needed');
});

test('a long base is computed in slices without a seam', async (t) => {
  const long = { ...shape, length: 2 * (1 << 18) + 5 };
  const blobs = new BlobStore(await makeTemporaryFolder(t));
  const bases = new BaseKeeper({ blobs, shape: long, outer });
  const bytes = makeBody({ ...network, shape: { ...long } }, 1);
  const body = decodeBody(bytes, long);
  if (body.outcome !== 'accept') return t.fail();
  const values = new Float32Array(long.length).fill(0.125);
  const factors = { weight: one, clip: 2 ** 16 };
  const step = createOuterStep(values, [{ body: body.value, ...factors }], outer);
  step.run(0, step.length);
  const next = await bases.computeNext(bases.hold(values), [{ body: await blobs.put(bytes), ...factors }]);
  t.is(next, toHex(computeMerkleRoot(viewBytes(step.next))));
});

test('a sum that leaves float32 leaves the base as it is', async (t) => {
  const { blobs, bases } = await createBench(t);
  const largest = 3.4e38;
  const base = bases.hold(makeBase(-largest));
  const [scale] = new Float32Array([1e38]);
  const values = new Float32Array(shape.length).fill(scale!);
  const body = await blobs.put(encodeBody(values, shape));
  const next = await bases.computeNext(base, [{ body, weight: one, clip: 2 ** 16 }]);
  t.is(next, base);
});

test('a base that is not held, a body that is missing, broken or damaged: each is said', async (t) => {
  const { blobs, bases } = await createBench(t);
  const base = bases.hold(makeBase(1));
  const entry = (body: string): [{ body: string; weight: number; clip: number }] => [{ body, weight: one, clip: 1 }];
  const codeOf = async (run: Promise<unknown>): Promise<string> =>
    (await t.throwsAsync(run, { instanceOf: TapestryError })).code;
  t.is(await codeOf(bases.computeNext(madeUp('other'), [])), 'base-missing');
  t.is(await codeOf(bases.computeNext(base, entry(madeUp('nowhere')))), 'blob-missing');
  const broken = await blobs.put(new Uint8Array(makeBody(network, 1).length).fill(0xff));
  t.is(await codeOf(bases.computeNext(base, entry(broken))), 'body-invalid');
  const damaged = await blobs.put(makeBody(network, 1));
  await truncate(blobs.pathOf(damaged), 3);
  t.is(await codeOf(bases.computeNext(base, entry(damaged))), 'blob-corrupt');
  t.true(bases.holds(base));
});

test('a base that vanished while it was in use is written again', async (t) => {
  const { bases } = await createBench(t);
  const root = bases.hold(makeBase(1));
  await bases.use(root);
  await rm(bases.pathOf(root));
  t.true(await bases.use(root));
  t.is((await readFile(bases.pathOf(root))).length, bases.sizeBytes);
});
