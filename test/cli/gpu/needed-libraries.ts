import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { readNeededLibraries } from '../../../src/cli/gpu/needed-libraries.ts';
import { runtimePackage } from '../../../src/trainer/runtime-package.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

/** A file with one loaded segment, which holds the dynamic section and the names behind it. */
function makeLibrary(names: readonly string[]): Buffer {
  const [header, entry, address] = [64, 56, 0x1000n];
  const strings = Buffer.from(`\0${names.map((name) => `${name}\0`).join('')}`, 'latin1');
  const start = header + 2 * entry;
  const dynamic = Buffer.alloc((names.length + 3) * 16);
  const tags = names.map((_, at) => [1n, BigInt(1 + names.slice(0, at).join(' ').length + (at > 0 ? 1 : 0))] as const);
  const table = BigInt(start + dynamic.length) + address;
  for (const [at, [tag, value]] of [...tags, [5n, table] as const, [10n, BigInt(strings.length)] as const].entries()) {
    dynamic.writeBigUInt64LE(tag, at * 16);
    dynamic.writeBigUInt64LE(value, at * 16 + 8);
  }
  const bytes = Buffer.concat([Buffer.alloc(start), dynamic, strings]);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  bytes.writeBigUInt64LE(BigInt(header), 32);
  bytes.writeUInt16LE(entry, 54);
  bytes.writeUInt16LE(2, 56);
  const segment = (at: number, type: number, offset: number, size: number): void => {
    bytes.writeUInt32LE(type, header + at * entry);
    bytes.writeBigUInt64LE(BigInt(offset), header + at * entry + 8);
    bytes.writeBigUInt64LE(BigInt(offset) + address, header + at * entry + 16);
    bytes.writeBigUInt64LE(BigInt(size), header + at * entry + 32);
  };
  segment(0, 1, 0, bytes.length);
  segment(1, 2, start, dynamic.length);
  return bytes;
}

test('the names are read in the order of the file', async (t) => {
  const path = join(await makeTemporaryFolder(t), 'lib.so');
  await writeFile(path, makeLibrary(['libcublasLt.so.12', 'libcuda.so.1', 'libc.so.6']));
  t.deepEqual(await readNeededLibraries(path), ['libcublasLt.so.12', 'libcuda.so.1', 'libc.so.6']);
});

const testOnLinux = process.platform === 'linux' ? test : test.skip;

testOnLinux('the real runtime needs the C library', async (t) => {
  const name = readdirSync(runtimePackage.binaries).find((file) => file.startsWith('libonnxruntime.so'))!;
  t.true((await readNeededLibraries(join(runtimePackage.binaries, name)))!.includes('libc.so.6'));
});

test('what is no library, was cut short anywhere or points outside itself gives nothing', async (t) => {
  const path = join(await makeTemporaryFolder(t), 'lib.so');
  const whole = makeLibrary(['libcuda.so.1']);
  for (let length = 0; length < whole.length - 1; length++) {
    await writeFile(path, whole.subarray(0, length));
    t.is(await readNeededLibraries(path), null, `${length}`);
  }
  for (const [at, value] of [
    [0, 0],
    [4, 1],
    [32, 255],
    [64 + 56 + 39, 255],
    [64 + 56 + 8 + 7, 255],
  ] as const) {
    const damaged = Buffer.from(whole);
    damaged[at] = value;
    await writeFile(path, damaged);
    t.is(await readNeededLibraries(path), null, `byte ${at}`);
  }
  t.is((await readFile(path)).length, whole.length);
});
