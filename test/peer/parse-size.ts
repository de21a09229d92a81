import test from 'ava';
import { parseSize } from '../../src/peer/parse-size.ts';

test('reads bytes and decimal units, in any case, with or without a space', (t) => {
  const sizes: [string, number][] = [
    ['0', 0],
    ['1048576', 1_048_576],
    ['12B', 12],
    ['3kB', 3000],
    ['500 MB', 5e8],
    ['20GB', 2e10],
    ['1.5tb', 1.5e12],
    [' 0.1 mb ', 1e5],
  ];
  for (const [text, bytes] of sizes) t.is(parseSize(text), bytes, text);
});

test('refuses what is no size', (t) => {
  for (const text of ['', 'GB', '-1', '1e9', '20 XB', '1,5GB', '5 GiB', '20GB0', '99999999999TB']) {
    t.is(parseSize(text), null, text);
  }
});
