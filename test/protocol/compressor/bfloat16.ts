import test from 'ava';
import { roundToBfloat16 } from '../../../src/protocol/compressor/bfloat16.ts';
import { roundToBfloat16Value } from '../../helpers/reference-compressor.ts';

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

function toBits(value: number): number {
  float[0] = value;
  return word[0]!;
}

function toNumber(bits: number): number {
  word[0] = bits << 16;
  return float[0]!;
}

test('keeps every finite bf16 as it is', (t) => {
  for (let bits = 0; bits <= 0x7f7f; bits++) {
    if (roundToBfloat16(bits * 0x10000) !== bits) t.fail(`0x${bits.toString(16)} changes`);
  }
  t.pass();
});

test('rounds to nearest and halves to even', (t) => {
  t.is(roundToBfloat16(0x3f80_7fff), 0x3f80);
  t.is(roundToBfloat16(0x3f80_8000), 0x3f80);
  t.is(roundToBfloat16(0x3f80_8001), 0x3f81);
  t.is(roundToBfloat16(0x3f81_8000), 0x3f82);
});

test('carries into the exponent', (t) => {
  t.is(roundToBfloat16(0x3fff_ffff), 0x4000);
});

test('rounds subnormal numbers like any other', (t) => {
  t.is(roundToBfloat16(toBits(2 ** -149)), 0);
  t.is(roundToBfloat16(toBits(2 ** -134)), 0);
  t.is(roundToBfloat16(toBits(1.5 * 2 ** -133)), 2);
  t.is(roundToBfloat16(toBits(2 ** -126)), 0x80);
});

test('never gives infinity: the largest float32 becomes the largest finite bf16', (t) => {
  t.is(roundToBfloat16(0x7f7f_ffff), 0x7f7f);
  t.is(roundToBfloat16(0x7f7f_8000), 0x7f7f);
});

test('agrees with rounding by arithmetic around every bf16', (t) => {
  for (let bits = 0; bits < 0x7f7f; bits += 7) {
    for (const offset of [0x0001, 0x7fff, 0x8000, 0x8001, 0xffff]) {
      const single = bits * 0x10000 + offset;
      word[0] = single;
      const expected = roundToBfloat16Value(float[0]!);
      if (toNumber(roundToBfloat16(single)) !== expected) t.fail(`0x${single.toString(16)}`);
    }
  }
  t.pass();
});
