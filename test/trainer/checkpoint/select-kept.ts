import test from 'ava';
import { selectKept } from '../../../src/trainer/checkpoint/select-kept.ts';

const hundreds = Array.from({ length: 20 }, (_, at) => 100 * (at + 1));

test('the last ones, the best and the first of every doubling stay', (t) => {
  const kept = selectKept(hundreds, { last: 3, every: 'doubling', best: 700 });
  t.deepEqual(kept, [100, 200, 300, 600, 700, 1100, 1800, 1900, 2000]);
});

test('the first of every so many steps stays', (t) => {
  t.deepEqual(selectKept(hundreds, { last: 1, every: 500, best: null }), [100, 500, 1000, 1500, 2000]);
});

test('order does not matter, and step 0 is a milestone', (t) => {
  t.deepEqual(selectKept([1, 0, 3, 2], { last: 1, every: 'doubling', best: null }), [0, 1, 2, 3]);
  t.deepEqual(selectKept([], { last: 3, every: 'doubling', best: null }), []);
});

test('a best one that is gone already is not invented', (t) => {
  t.deepEqual(selectKept([5, 6], { last: 1, every: 1000, best: 4 }), [5, 6]);
});

test('no milestone is lost when the policy is applied after every checkpoint, and few are kept', (t) => {
  let here: number[] = [];
  for (let step = 50; step <= 100_000; step += 50) {
    here = selectKept([...here, step], { last: 3, every: 'doubling', best: 4200 });
  }
  const all = Array.from({ length: 2000 }, (_, at) => 50 * (at + 1));
  t.deepEqual(here, selectKept(all, { last: 3, every: 'doubling', best: 4200 }));
  t.true(here.length <= 3 + 1 + 17, `${here.length}`);
  t.true(here.includes(4200));
});
