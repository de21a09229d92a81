import test from 'ava';
import { createSelectionScratch, selectTop } from '../../../src/protocol/compressor/select-top.ts';
import { generateValues } from '../../helpers/vectors/data.ts';

function select(values: readonly number[], count: number): number[] | null {
  const floats = Float32Array.from(values);
  const selected = new Uint32Array(count);
  const scratch = createSelectionScratch(floats.length);
  const written = selectTop(new Uint32Array(floats.buffer), count, selected, scratch);
  return written < 0 ? null : [...selected.subarray(0, written)];
}

test('selects the largest magnitudes in ascending order of index', (t) => {
  t.deepEqual(select([1, -5, 2, 4, -3], 3), [1, 3, 4]);
});

test('gives ties to the lower index', (t) => {
  t.deepEqual(select([1, -2, 2, 3, 2], 3), [1, 2, 3]);
});

test('never selects a zero', (t) => {
  t.deepEqual(select([0, -0, 1, 0], 3), [2]);
  t.deepEqual(select([0, -0], 1), []);
});

test('tells numbers apart by their last bit', (t) => {
  t.deepEqual(select([1, 1 + 2 ** -23, 1, 1 + 2 ** -23], 2), [1, 3]);
  t.deepEqual(select([2 ** -149, 2 ** -148, 2 ** -149], 1), [1]);
});

test('finds NaN and infinity wherever they are', (t) => {
  t.is(select([1, Number.NaN], 1), null);
  t.is(select([Number.NEGATIVE_INFINITY, 1], 1), null);
});

test('takes the largest float32 for what it is', (t) => {
  t.deepEqual(select([1, 3.4028234663852886e38], 1), [1]);
});

test('agrees with a full sort for every count', (t) => {
  const values = [...generateValues(5, 200).map((value) => Math.round(value * 50))];
  const order = values.map((_, index) => index).sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!) || a - b);
  for (let count = 1; count <= 200; count++) {
    const expected = order
      .slice(0, count)
      .filter((index) => values[index] !== 0)
      .sort((a, b) => a - b);
    t.deepEqual(select(values, count), expected);
  }
});
