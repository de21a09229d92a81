import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { TapestryError } from '../../../src/protocol/errors.ts';
import { withSafetensors } from '../../../src/trainer/checkpoint/read-safetensors.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { makeSafetensors } from '../helpers/plain-safetensors.ts';

const bytesOf = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const entry = (shape: number[], begin: number, end: number, dtype = 'F32'): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

/** All tensors of a file with these bytes. */
async function read(t: ExecutionContext, bytes: Uint8Array): Promise<Record<string, number[]>> {
  const path = join(await makeTemporaryFolder(t), 'x.safetensors');
  await writeFile(path, bytes);
  return withSafetensors(path, async (file) => {
    const found: Record<string, number[]> = {};
    for (const tensor of file.tensors) {
      const values = new Float32Array(tensor.length);
      await file.read(tensor, (piece, from) => values.set(piece, from));
      found[tensor.name] = [...values];
    }
    return found;
  });
}

test('tensors are found wherever they lie, in any order of the header, scalars and empty ones too', async (t) => {
  const header = {
    late: entry([2], 8, 16),
    __metadata__: { format: 'pt' },
    early: entry([2, 1], 0, 8),
    none: entry([3, 0], 8, 8),
    scalar: entry([], 16, 20),
  };
  const found = await read(t, makeSafetensors(header, bytesOf(1, 2, 3, 4, 5)));
  t.deepEqual(found, { early: [1, 2], none: [], late: [3, 4], scalar: [5] });
});

test('formats may be mixed; padding after the header is part of it', async (t) => {
  const header = { a: entry([1], 0, 4), b: entry([1], 4, 6, 'BF16'), c: entry([1], 6, 8, 'F16') };
  const data = Buffer.concat([bytesOf(0.1), Buffer.from([0x80, 0x3f, 0x00, 0xc0])]);
  const found = await read(t, makeSafetensors(`${JSON.stringify(header)}     `, data));
  t.deepEqual(found, { a: [Math.fround(0.1)], b: [1], c: [-2] });
});

test('a tensor longer than a piece arrives whole', async (t) => {
  const values = Float32Array.from({ length: (1 << 20) + 7 }, (_, at) => at);
  const bytes = makeSafetensors({ long: entry([values.length], 0, values.byteLength) }, new Uint8Array(values.buffer));
  const { long } = await read(t, bytes);
  t.is(long!.length, values.length);
  t.true(long!.every((value, at) => value === at));
});

const four = bytesOf(1, 2, 3, 4);
const good = { a: entry([2], 0, 8), b: entry([2], 8, 16) };
const twice = `{"a":${JSON.stringify(good.a)},"b":${JSON.stringify(good.b)},"a" :${JSON.stringify(good.a)}}`;
const refused: [title: string, bytes: Uint8Array, code: string, said: RegExp][] = [
  ['an empty file', new Uint8Array(), 'truncated', /at least 8 bytes, found 0/],
  ['a file that ends in its length', Uint8Array.of(1, 2, 3), 'truncated', /at least 8 bytes, found 3/],
  [
    'a file cut off in its data',
    makeSafetensors(good, four.subarray(0, 13)),
    'truncated',
    /16 bytes of data.*"b", found 13/,
  ],
  [
    'a header longer than the file',
    makeSafetensors(good, four, 5000n),
    'header',
    /within the file of \d+ bytes, found one that claims 5000/,
  ],
  ['a header longer than allowed', makeSafetensors(good, four, 2n ** 60n), 'header', /at most 100000000 bytes/],
  ['a header that is not JSON', makeSafetensors('{"a":', four), 'header', /a JSON object, found .*JSON/],
  ['a header that is no object', makeSafetensors('[1]', four), 'header', /a JSON object, found \[1\]/],
  [
    'a header that is not UTF-8',
    makeSafetensors('', Buffer.from('{"\xff":1}', 'latin1'), 7n),
    'header',
    /a JSON object, found .*utf-8/,
  ],
  ['a name that stands twice', makeSafetensors(twice, four), 'duplicate', /"a" twice/],
  ['metadata that is no text', makeSafetensors({ __metadata__: { step: 1 }, ...good }, four), 'header', /__metadata__/],
  [
    'an entry without a shape',
    makeSafetensors({ a: { dtype: 'F32', data_offsets: [0, 16] } }, four),
    'header',
    /dtype, shape and data_offsets/,
  ],
  ['a negative size', makeSafetensors({ a: entry([-2, -2], 0, 16) }, four), 'header', /dtype, shape and data_offsets/],
  ['an offset that is no whole number', makeSafetensors({ a: entry([4], 0.5, 16.5) }, four), 'header', /data_offsets/],
  [
    'integers',
    makeSafetensors({ a: entry([2], 0, 16, 'I64') }, four),
    'dtype',
    /"a" in F32, BF16 or F16, found dtype "I64"/,
  ],
  ['8-bit floats', makeSafetensors({ a: entry([16], 0, 16, 'F8_E4M3') }, four), 'dtype', /found dtype "F8_E4M3"/],
  [
    'a format called like a method',
    makeSafetensors({ a: entry([16], 0, 16, 'toString') }, four),
    'dtype',
    /found dtype/,
  ],
  [
    'a size that is not that of the shape',
    makeSafetensors({ a: entry([3], 0, 16) }, four),
    'size',
    /F32 \[3\] in 12 bytes, found data_offsets \[0, 16\]/,
  ],
  ['a shape beyond all numbers', makeSafetensors({ a: entry([2 ** 50, 2 ** 50], 0, 16) }, four), 'size', /in .* bytes/],
  [
    'overlapping tensors',
    makeSafetensors({ a: entry([3], 0, 12), b: entry([2], 8, 16) }, four),
    'overlap',
    /"b" from byte 12 on.*found byte 8/,
  ],
  [
    'two tensors in one place',
    makeSafetensors({ a: entry([4], 0, 16), b: entry([4], 0, 16) }, four),
    'overlap',
    /found byte 0/,
  ],
  [
    'a hole between tensors',
    makeSafetensors({ a: entry([1], 0, 4), b: entry([2], 8, 16) }, four),
    'hole',
    /"b" from byte 4 on.*found byte 8/,
  ],
  ['a hole before the first', makeSafetensors({ a: entry([3], 4, 16) }, four), 'hole', /from byte 0 on.*found byte 4/],
  [
    'an offset beyond the file',
    makeSafetensors({ a: entry([4000], 0, 16000) }, four),
    'truncated',
    /16000 bytes of data.*found 16/,
  ],
  [
    'bytes after the last tensor',
    makeSafetensors({ a: entry([3], 0, 12) }, four),
    'trailing',
    /12 bytes of data.*found 16/,
  ],
  ['NaN', makeSafetensors(good, bytesOf(1, 2, 3, Number.NaN)), 'not-finite', /tensor "b", found NaN at value 1/],
  [
    'an infinite f16',
    makeSafetensors({ a: entry([2], 0, 4, 'F16') }, Uint8Array.of(0, 0, 0, 0xfc)),
    'not-finite',
    /"a", found -Infinity at value 1/,
  ],
  [
    'an infinite bf16',
    makeSafetensors({ a: entry([1], 0, 2, 'BF16') }, Uint8Array.of(0x80, 0x7f)),
    'not-finite',
    /"a", found Infinity at value 0/,
  ],
];

for (const [title, bytes, code, said] of refused) {
  test(`${title}: refused`, async (t) => {
    const error = await t.throwsAsync(read(t, bytes), { instanceOf: TapestryError });
    t.is(error.code, `safetensors-${code}`);
    t.regex(error.message, said);
    t.regex(error.message, /x\.safetensors: expected/);
    t.not(error.remedy, '');
  });
}

test('NaN deep in a long tensor is named by its place in the tensor', async (t) => {
  const values = new Float32Array((1 << 20) + 9);
  values[(1 << 20) + 3] = Number.NaN;
  const bytes = makeSafetensors({ a: entry([values.length], 0, values.byteLength) }, new Uint8Array(values.buffer));
  await t.throwsAsync(read(t, bytes), { message: /found NaN at value 1048579/ });
});

test('a name that would disturb a terminal is quoted and cut', async (t) => {
  const name = `\u001b[31m${'x'.repeat(500)}`;
  const error = await t.throwsAsync(read(t, makeSafetensors({ [name]: entry([1], 0, 4, 'I32') }, bytesOf(1))));
  t.false(error!.message.includes('\u001b'));
  t.true(error!.message.length < 400, `${error!.message.length}`);
});

test('a file that is not there, or is a folder, is named', async (t) => {
  const folder = await makeTemporaryFolder(t);
  for (const path of [join(folder, 'none'), folder]) {
    const error = await t.throwsAsync(
      withSafetensors(path, async () => {}),
      { instanceOf: TapestryError },
    );
    t.true(error.message.startsWith(path), error.message);
  }
});
