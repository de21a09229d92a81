import test from 'ava';
import { formatBytes, formatDuration, formatLoss, formatRoot, formatShare } from '../../../src/cli/ui/format.ts';

test('bytes have a unit and at most three digits', (t) => {
  t.deepEqual([0, 999, 1000, 1250, 99_949, 99_950, 999_499, 999_500, 1.2e9, 5e15].map(formatBytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '1.3 kB',
    '99.9 kB',
    '100 kB',
    '999 kB',
    '1.0 MB',
    '1.2 GB',
    '5000 TB',
  ]);
});

test('durations change their form as they grow', (t) => {
  t.deepEqual([0, 420, 9_949, 9_950, 59_499, 59_500, 125_000, 3_725_000].map(formatDuration), [
    '0.0 s',
    '0.4 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1:00',
    '2:05',
    '1:02:05',
  ]);
});

test('what is not known is a dash', (t) => {
  t.is(formatLoss(null, '-'), '-');
  t.is(formatLoss(2.34567, '-'), '2.346');
  t.is(formatRoot('', '-'), '-');
  t.is(formatRoot('0123456789abcdef', '-'), '01234567');
  t.is(formatShare(0.255), '26 %');
});
