import test from 'ava';
import { decodeFloats, encodeBfloat16, findNotFinite } from '../../../src/trainer/checkpoint/float-formats.ts';

function decode(format: 'BF16' | 'F16', ...halves: number[]): number[] {
  const target = new Float32Array(halves.length);
  decodeFloats(format, new Uint8Array(Uint16Array.from(halves).buffer), target);
  return [...target];
}

function encode(...values: number[]): number[] {
  const target = new Uint8Array(values.length * 2);
  if (encodeBfloat16(Float32Array.from(values), target) >= 0) return [-1];
  return [...new Uint16Array(target.buffer)];
}

test('bf16 is the upper half of a float32', (t) => {
  t.deepEqual(decode('BF16', 0x3f80, 0xc000, 0x0000, 0x8000, 0x0001, 0x7f7f), [
    1,
    -2,
    0,
    -0,
    2 ** -133,
    (2 - 2 ** -7) * 2 ** 127,
  ]);
  t.deepEqual(decode('BF16', 0x7f80, 0xff80), [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  t.true(Number.isNaN(decode('BF16', 0x7fc0)[0]));
});

test('f16 has normal numbers, subnormals, both zeros and the largest', (t) => {
  t.deepEqual(decode('F16', 0x3c00, 0xc000, 0x3555, 0x7bff, 0x0400), [1, -2, 1365 / 4096, 65504, 2 ** -14]);
  t.deepEqual(decode('F16', 0x0001, 0x8001, 0x03ff, 0x0000, 0x8000), [2 ** -24, -(2 ** -24), 1023 * 2 ** -24, 0, -0]);
  t.deepEqual(decode('F16', 0x7c00, 0xfc00), [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  t.true(Number.isNaN(decode('F16', 0x7e01)[0]));
});

test('every f16 is what the formula of IEEE 754 says', (t) => {
  const halves = Array.from({ length: 65536 }, (_, half) => half);
  const decoded = decode('F16', ...halves);
  for (const half of halves) {
    const exponent = (half >> 10) & 31;
    const fraction = (half & 1023) / 1024;
    const size = exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15);
    const special = fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    const expected = (half & 0x8000 ? -1 : 1) * (exponent === 31 ? special : size);
    if (!Object.is(decoded[half], expected)) t.fail(`0x${half.toString(16)}: ${decoded[half]} is not ${expected}`);
  }
  t.pass();
});

test('f32 keeps its bits', (t) => {
  const bits = Uint32Array.of(0x80000000, 1, 0x7f7fffff, 0x3f800001);
  const target = new Float32Array(4);
  decodeFloats('F32', new Uint8Array(bits.buffer), target);
  t.deepEqual(new Uint32Array(target.buffer), bits);
});

test('bf16 rounds to nearest, ties to even, on both sides of zero', (t) => {
  const step = 2 ** -7;
  t.deepEqual(encode(1, 1 + 0.49 * step, 1 + 0.51 * step, -1 - 0.51 * step), [0x3f80, 0x3f80, 0x3f81, 0xbf81]);
  t.deepEqual(encode(1 + step / 2, 1 + 1.5 * step), [0x3f80, 0x3f82], 'half way goes to the even one');
  t.deepEqual(encode(0, -0, 2 ** -133, 2 ** -149), [0, 0x8000, 1, 0], 'zeros and subnormals');
});

test('a float32 that bf16 cannot hold is found', (t) => {
  const [largest, tooLarge] = [(2 - 2 ** -7) * 2 ** 127, (2 - 2 ** -9) * 2 ** 127];
  const target = new Uint8Array(6);
  t.is(encodeBfloat16(Float32Array.of(1, largest, -largest), target), -1);
  t.is(encodeBfloat16(Float32Array.of(1, largest, -tooLarge), target), 2);
});

test('writing what was read as bf16 gives its bits again', (t) => {
  const finite = Array.from({ length: 65536 }, (_, half) => half).filter((half) => (half & 0x7f80) !== 0x7f80);
  t.deepEqual(encode(...decode('BF16', ...finite)), finite);
});

test('the first value that is not finite is found', (t) => {
  t.is(findNotFinite(Float32Array.of(1, 2, 3)), -1);
  t.is(findNotFinite(Float32Array.of(1, Number.NEGATIVE_INFINITY, Number.NaN)), 1);
  t.is(findNotFinite(Float32Array.of(1, 2, Number.NaN)), 2);
});
