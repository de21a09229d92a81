import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { TapestryError } from '../../../src/protocol/errors.ts';
import { withSafetensors } from '../../../src/trainer/checkpoint/read-safetensors.ts';
import { writeSafetensors } from '../../../src/trainer/checkpoint/write-safetensors.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { readPlainSafetensors } from '../helpers/plain-safetensors.ts';

const tensors = [
  { name: 'b', shape: [2, 2], values: Float32Array.of(1, -2, 0.1, 2 ** -149) },
  { name: 'a', shape: [1], values: Float32Array.of(-0) },
];

test('a file is its header padded with spaces to 8 bytes, then the tensors in the given order', async (t) => {
  const path = join(await makeTemporaryFolder(t), 'x.safetensors');
  await writeSafetensors(path, tensors, 'F32', { format: 'pt', note: 'é' });
  const bytes = await readFile(path);
  const length = Number(bytes.readBigUInt64LE());
  const text = bytes.toString('utf8', 8, 8 + length);
  t.is(length % 8, 0);
  t.is(text.trimEnd().at(-1), '}');
  t.deepEqual(JSON.parse(text), {
    __metadata__: { format: 'pt', note: 'é' },
    b: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
    a: { dtype: 'F32', shape: [1], data_offsets: [16, 20] },
  });
  t.is(bytes.length, 8 + length + 20);
  t.deepEqual(
    [...(await readPlainSafetensors(path)).values()],
    [
      { shape: [2, 2], values: [1, -2, Math.fround(0.1), 2 ** -149] },
      { shape: [1], values: [-0] },
    ],
  );
});

test('bf16 takes half the bytes, in pieces too', async (t) => {
  const path = join(await makeTemporaryFolder(t), 'x.safetensors');
  const values = Float32Array.from({ length: (1 << 20) + 3 }, (_, at) => at % 128);
  await writeSafetensors(path, [{ name: 'long', shape: [values.length], values }], 'BF16', {});
  await withSafetensors(path, async (file) => {
    const [tensor] = file.tensors;
    t.is(tensor!.format, 'BF16');
    const read = new Float32Array(values.length);
    await file.read(tensor!, (piece, from) => read.set(piece, from));
    t.true(read.every((value, at) => value === values[at]));
  });
});

test('numbers that a file must not hold leave no file behind', async (t) => {
  const folder = await makeTemporaryFolder(t);
  const nan = [...tensors, { name: 'c', shape: [2], values: Float32Array.of(1, Number.NaN) }];
  const large = [{ name: 'c', shape: [1], values: Float32Array.of(3.4e38) }];
  const write = (list: typeof nan, format: 'F32' | 'BF16'): Promise<void> =>
    writeSafetensors(join(folder, 'x.safetensors'), list, format, {});
  const error = await t.throwsAsync(write(nan, 'F32'), { instanceOf: TapestryError });
  t.is(error.code, 'weights-not-finite');
  t.regex(error.message, /tensor "c": expected finite numbers, found NaN at value 1/);
  await t.throwsAsync(write(large, 'BF16'), { code: 'weights-too-large', message: /"c".* at value 0/ });
  t.deepEqual(await readdir(folder), []);
  await t.notThrowsAsync(write(large, 'F32'));
});
