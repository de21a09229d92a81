import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { toHex } from '../../../src/protocol/hex.ts';
import { computeMerkleRoot } from '../../../src/protocol/merkle.ts';
import { readCheckpoint, summarizeCheckpoint } from '../../../src/trainer/checkpoint/read-checkpoint.ts';
import { asBytes } from '../../../src/trainer/vector-file.ts';
import { type BuiltChain, buildChain } from '../../helpers/built-chain.ts';
import { assertTwoLines, runInside } from '../../helpers/run-command.ts';
import { createSmallNetwork } from '../../helpers/small-network.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

const network = createSmallNetwork(4);
let chain: BuiltChain;

test.before(async () => {
  chain = await buildChain(network, await mkdtemp(join(tmpdir(), 'tapestry-test-')), 2);
});

test.after.always(() => rm(chain.home, { recursive: true, force: true }));

test('the newest base is exported and says where it is from', async (t) => {
  const folder = join(await makeTemporaryFolder(t), 'out');
  const end = await runInside(['export', folder, '--home', chain.home, '--json']);
  t.is(end.code, 0, end.err);
  const root = chain.state.base;
  const { parameters } = await readCheckpoint(folder);
  t.is(toHex(computeMerkleRoot(asBytes(parameters))), root);
  const facts = { folder, network: network.networkId, round: 2, root, parameters: parameters.length, dtype: 'f32' };
  t.deepEqual(JSON.parse(end.out), facts);
  t.deepEqual((await summarizeCheckpoint(folder)).metadata, {
    format: 'pt',
    tapestry_network: network.networkId,
    tapestry_round: '2',
    tapestry_base: root,
  });
  t.regex(end.err, /writing the base after round 2 of "small" .* parameters\nexported to/);
});

test('a round and bf16 can be chosen', async (t) => {
  const folder = join(await makeTemporaryFolder(t), 'out');
  const args = ['export', folder, '--home', chain.home, '--round', '1', '--network', network.networkId];
  const end = await runInside([...args, '--dtype', 'bf16']);
  t.is(end.code, 0, end.err);
  t.regex(end.out, /base after round 1/);
  const { metadata } = await summarizeCheckpoint(folder);
  t.is(metadata.tapestry_base, chain.rounds[0]!.value.next);
  const { parameters } = await readCheckpoint(folder);
  const bits = new Uint32Array(parameters.buffer);
  t.true(bits.every((value) => (value & 0xffff) === 0));
});

test('what cannot be exported takes two lines and leaves nothing', async (t) => {
  const parent = await makeTemporaryFolder(t);
  const folder = join(parent, 'out');
  const far = await runInside(['export', folder, '--home', chain.home, '--round', '9']);
  assertTwoLines(t, far, /the base after round 9, found the bases after rounds 0 to 2 of 2/, /--round/);
  t.deepEqual(await readdir(parent), []);
  await writeFile(join(parent, 'mine'), '');
  const taken = await runInside(['export', parent, '--home', chain.home]);
  assertTwoLines(t, taken, /expected no such folder, or an empty one, found a folder with 1 entries/, /another folder/);
  t.deepEqual(await readdir(parent), ['mine']);
});

test('wrong usage is exit code 2', async (t) => {
  for (const args of [['export'], ['export', 'x', '--round', '-1'], ['export', 'x', '--dtype', 'f16']]) {
    t.is((await runInside(args)).code, 2, args.join(' '));
  }
});
