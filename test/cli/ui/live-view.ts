import { Writable } from 'node:stream';
import test from 'ava';
import type { OutputStream } from '../../../src/cli/cli-context.ts';
import { createLiveView } from '../../../src/cli/ui/live-view.ts';
import { addNotice, createViewState } from '../../../src/cli/ui/view-state.ts';

const state = createViewState('net', ['peer-0'], 3, 0);

function catchStream(facts: object): { stream: OutputStream; text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done): void {
      text += chunk;
      done();
    },
  });
  return { stream: Object.assign(stream, facts), text: () => text };
}

test('a terminal gets a table that is drawn over itself, and its cursor back', (t) => {
  const { stream, text } = catchStream({ isTTY: true, columns: 80, rows: 24 });
  const view = createLiveView({ stream, environment: { NO_COLOR: '1' }, nowMs: () => 0 });
  view.update(state);
  view.update(addNotice(state, 'news'));
  view.stop();
  view.stop();
  const [first, second] = text().split('\x1b[4A');
  t.true(first!.startsWith('\x1b[?25l\x1b[2Knet | round 0/3'));
  t.true(second!.includes('\x1b[2Knews\n'));
  t.true(second!.endsWith('\x1b[?25h'));
  t.false(text().includes('\x1b[1m'));
});

test('colour is for terminals that do not refuse it', (t) => {
  const { stream, text } = catchStream({ isTTY: true });
  const view = createLiveView({ stream, environment: {}, nowMs: () => 0 });
  view.update(state);
  view.stop();
  t.true(text().includes('\x1b[1m'));
});

test('a table higher than the terminal is cut', (t) => {
  const { stream, text } = catchStream({ isTTY: true, rows: 4 });
  const view = createLiveView({ stream, environment: {}, nowMs: () => 0 });
  view.update(addNotice(state, 'news'));
  view.stop();
  t.is(text().split('\x1b[2K').length - 1, 2 * 3);
});

for (const [title, facts, environment] of [
  ['a pipe', {}, {}],
  ['a build machine', { isTTY: true }, { CI: 'true' }],
  ['a dumb terminal', { isTTY: true }, { TERM: 'dumb' }],
] as const) {
  test(`${title} gets plain lines`, (t) => {
    const { stream, text } = catchStream(facts);
    const view = createLiveView({ stream, environment, nowMs: () => 0 });
    view.update(state);
    view.update(addNotice(state, 'news'));
    view.update(addNotice(state, 'news'));
    view.stop();
    t.is(text(), 'news\n');
  });
}
