import { PassThrough } from 'node:stream';
import test from 'ava';
import { formatTable } from '../../../src/cli/ui/format-table.ts';
import { createProgressLine } from '../../../src/cli/ui/progress-line.ts';

function collect(isTTY: boolean): { stream: PassThrough & { isTTY?: boolean }; text: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY });
  return { stream, text: () => String(stream.read() ?? '') };
}

test('on a terminal the line is rewritten, but not for every byte', (t) => {
  const { stream, text } = collect(true);
  let now = 0;
  const line = createProgressLine(stream, () => now);
  line.show('packing', 1e6, 4e6);
  line.show('packing', 2e6, 4e6);
  now = 100;
  line.show('packing', 3e6, 4e6);
  line.show('packing', 4e6, 4e6);
  line.end();
  t.deepEqual(text().split('\r\u001B[K'), [
    '',
    'packing 25 %  1.0 MB of 4.0 MB',
    'packing 75 %  3.0 MB of 4.0 MB',
    'packing 100 %  4.0 MB of 4.0 MB',
    '',
  ]);
});

test('elsewhere there is a line for every tenth', (t) => {
  const { stream, text } = collect(false);
  const line = createProgressLine(stream, () => 0);
  for (let done = 0; done <= 1000; done++) line.show('packing', done, 1000);
  line.end();
  const lines = text().trimEnd().split('\n');
  t.is(lines.length, 11);
  t.is(lines[3], 'packing 30 %  300 B of 1.0 kB');
});

test('columns of a table are aligned', (t) => {
  t.deepEqual(
    formatTable([
      ['a', 'bb', 'c'],
      ['aaa', 'b'],
      ['', '1234', 'x'],
    ]),
    ['a      bb  c', 'aaa     b', '     1234  x'],
  );
});
