import test from 'ava';
import { computeBodyLayout, computeBodyLength, computeChunkLayout } from '../../../src/protocol/compressor/shape.ts';
import { TapestryError } from '../../../src/protocol/errors.ts';
import { computeModelLayout } from '../../../src/protocol/model.ts';
import { presets } from '../../../src/protocol/presets.ts';

test('a full chunk of 4096 has 84 bytes with 64 elements and 260 with 256', (t) => {
  t.is(computeBodyLength(4096, { chunkLength: 4096, topK: 64 }), 84);
  t.is(computeBodyLength(4096, { chunkLength: 4096, topK: 256 }), 260);
});

test('the parts of a chunk follow each other', (t) => {
  t.deepEqual(computeChunkLayout(4096, 64), {
    length: 4096,
    count: 64,
    lowBits: 6,
    highOffset: 4,
    lowOffset: 20,
    signOffset: 68,
    magnitudeOffset: 76,
    byteLength: 84,
    highBitLength: 127,
  });
});

test('a short chunk sends at most what it has, and splits indices at the floor of log2(n / k)', (t) => {
  t.like(computeChunkLayout(40, 64), { count: 40, lowBits: 0, highBitLength: 79 });
  t.like(computeChunkLayout(127, 64), { count: 64, lowBits: 0, highBitLength: 190 });
  t.like(computeChunkLayout(128, 64), { count: 64, lowBits: 1, highBitLength: 127 });
  t.like(computeChunkLayout(1, 64), { count: 1, lowBits: 0, byteLength: 7 });
});

test('the low bits are the floor of log2(n / k) for every n and k up to 300', (t) => {
  for (let length = 1; length <= 300; length++) {
    for (let topK = 1; topK <= length; topK++) {
      const { lowBits } = computeChunkLayout(length, topK);
      if (!(topK * 2 ** lowBits <= length && topK * 2 ** (lowBits + 1) > length)) t.fail(`n ${length}, k ${topK}`);
    }
  }
  t.pass();
});

test('the last chunk is short where the chunk length does not divide the vector', (t) => {
  const layout = computeBodyLayout(10_000, { chunkLength: 4096, topK: 64 });
  t.like(layout, { chunks: 3, count: 192 });
  t.is(layout.last.length, 1808);
  t.is(layout.byteLength, 84 * 2 + layout.last.byteLength);
});

test('at micro a body costs at most 0.066 bytes a parameter with 256 elements and 0.021 with 64', (t) => {
  const { length } = computeModelLayout(presets.micro.model);
  t.true(computeBodyLength(length, { chunkLength: 4096, topK: 256 }) / length <= 0.066);
  t.true(computeBodyLength(length, { chunkLength: 4096, topK: 64 }) / length <= 0.021);
});

for (const [what, length, chunkLength, topK] of [
  ['no value', 0, 16, 4],
  ['more values than indices can name', 2 ** 32, 16, 4],
  ['half a value', 1.5, 16, 4],
  ['a chunk of nothing', 16, 0, 4],
  ['a chunk above 65 536', 16, 65_537, 4],
  ['no element', 16, 16, 0],
  ['more elements than a chunk has', 16, 16, 17],
  ['NaN elements', 16, 16, Number.NaN],
] as const) {
  test(`refuses ${what}`, (t) => {
    const error = t.throws(() => computeBodyLength(length, { chunkLength, topK }), { instanceOf: TapestryError });
    t.is(error?.code, 'compressor-shape');
  });
}
