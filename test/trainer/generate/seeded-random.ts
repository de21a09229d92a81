import test from 'ava';
import { createRandom } from '../../../src/trainer/generate/seeded-random.ts';

test('the same seed gives the same numbers for ever, another seed others', (t) => {
  const draw = (seed: number): number[] => Array.from({ length: 3 }, createRandom(seed));
  t.deepEqual(draw(7), draw(7));
  t.notDeepEqual(draw(7), draw(8));
  // From another implementation of the same generator.
  t.deepEqual(draw(0), [0.22005112607615596, 0.3170387295598226, 0.34943125215547466]);
  t.deepEqual(draw(2 ** 40), [0.2392866418700068, 0.25607050204569415, 0.41117566993933874]);
});

test('numbers are spread evenly over 0 to 1, with 53 bits', (t) => {
  const random = createRandom(3);
  const counts = new Array<number>(16).fill(0);
  let fine = 0;
  for (let i = 0; i < 16_000; i++) {
    const value = random();
    counts[Math.floor(value * 16)]! += 1;
    fine += (value * 2 ** 53) % 2;
  }
  // 37.7 is the 0.1 % point of chi-square with fifteen degrees of freedom.
  t.true(counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0) < 37.7, `${counts}`);
  t.true(Math.abs(fine - 8000) < 300, `${fine}`);
});
