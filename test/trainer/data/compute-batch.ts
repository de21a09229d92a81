import test from 'ava';
import { computeBatch, computeBatchStarts } from '../../../src/trainer/data/compute-batch.ts';
import { createMemoryStream } from '../../../src/trainer/data/token-stream.ts';

const seed = new Uint8Array(32).fill(5);
const tokens = Uint8Array.from({ length: 1000 }, (_, at) => at % 251);
const stream = createMemoryStream(tokens);
const shape = { batchSize: 7, sequenceLength: 16 };

test('the starts of a step are these', (t) => {
  t.deepEqual(computeBatchStarts(seed, 3, 6, 984), [651, 66, 103, 475, 30, 375]);
});

test('a batch is windows of the stream', (t) => {
  const batch = computeBatch(stream, seed, 3, shape);
  const starts = computeBatchStarts(seed, 3, 7, 1000 - 16);
  t.is(batch.length, 7 * 17);
  for (const [row, start] of starts.entries()) {
    t.deepEqual([...batch.subarray(row * 17, row * 17 + 17)], [...tokens.subarray(start, start + 17)]);
  }
});

test('the same seed and step give the same batch, others give another', (t) => {
  const batch = computeBatch(stream, seed, 3, shape);
  t.deepEqual(computeBatch(stream, seed, 3, shape), batch);
  t.notDeepEqual(computeBatch(stream, seed, 4, shape), batch);
  t.notDeepEqual(computeBatch(stream, new Uint8Array(32), 3, shape), batch);
});

test('the first and the last window are both drawn', (t) => {
  const starts = Array.from({ length: 100 }, (_, step) => computeBatchStarts(seed, step, 8, 5)).flat();
  t.deepEqual([...new Set(starts)].sort(), [0, 1, 2, 3, 4]);
  t.notThrows(() => computeBatch(createMemoryStream(tokens.subarray(0, 17)), seed, 0, shape));
  t.throws(() => computeBatch(createMemoryStream(tokens.subarray(0, 16)), seed, 0, shape), { instanceOf: RangeError });
});

test('a stream in memory is read within its bounds alone', (t) => {
  t.is(stream.length, 1000);
  t.throws(() => stream.read(990, new Int32Array(11)), { instanceOf: RangeError });
  t.throws(() => stream.read(-1, new Int32Array(1)), { instanceOf: RangeError });
  t.notThrows(() => stream.read(1000, new Int32Array(0)));
});
