import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readMoments, readVector, writeMoments, writeVector } from '../../src/trainer/vector-file.ts';

let folder = '';

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tapestry-vector-'));
});

test.after.always(() => rm(folder, { recursive: true }));

test('a vector is raw little-endian floats, and comes back', async (t) => {
  const path = join(folder, 'new', 'a.vector');
  await writeVector(path, Float32Array.of(1, -0, 2 ** -140));
  t.is((await readFile(path)).toString('hex'), '0000803f0000008000020000');
  t.deepEqual(await readVector(path, 3), Float32Array.of(1, -0, 2 ** -140));
  t.deepEqual(await readdir(join(folder, 'new')), ['a.vector']);
});

test('moments come back with their counter', async (t) => {
  const path = join(folder, 'a.moments');
  const moments = { first: Float32Array.of(1, 2), second: Float32Array.of(3, 4), adamStep: 12 };
  await writeMoments(path, moments);
  t.deepEqual(await readMoments(path, 2), moments);
});

test('a missing, short or long file, a bad counter and a folder that cannot be are named', async (t) => {
  await t.throwsAsync(readVector(join(folder, 'absent'), 1), { code: 'trainer-file', message: /absent/ });
  const path = join(folder, 'short');
  await writeFile(path, new Uint8Array(7));
  await t.throwsAsync(readVector(path, 2), { code: 'trainer-file', message: /7 bytes where 8/ });
  const moments = join(folder, 'moments');
  await writeFile(moments, new Uint8Array(new Float64Array([0, 1.5]).buffer));
  await t.throwsAsync(readMoments(moments, 1), { code: 'trainer-file', message: /1\.5/ });
  await t.throwsAsync(writeVector(join(path, 'below'), new Float32Array(1)), {
    code: 'trainer-write',
    message: /below/,
  });
});
