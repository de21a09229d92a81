import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { countRounds, renderProgress, renderTable } from '../../../src/cli/ui/render-table.ts';
import { chooseSymbols } from '../../../src/cli/ui/symbols.ts';
import { applyPeerEvent, applyProcessChange, createViewState, type ViewState } from '../../../src/cli/ui/view-state.ts';

const plain = { symbols: chooseSymbols(false), color: false, width: 120, nowMs: 66_000 };
const start = createViewState('net', ['peer-0', 'peer-1', 'peer-2'], 3, 1000);

function certify(state: ViewState, round: number, roots: readonly string[]): ViewState {
  return roots.reduce((current, root, index) => {
    const certified = applyPeerEvent(current, index, { event: 'round.certified', atMs: 0, round, root });
    return applyPeerEvent(certified, index, { event: 'loss.measured', atMs: 0, round, mean: 2.5 });
  }, state);
}

function runAll(state: ViewState): ViewState {
  return state.peers.reduce((current, _, index) => {
    return applyPeerEvent(current, index, { event: 'peer.started', atMs: 0, id: `id-${index}`, addresses: [] });
  }, state);
}

test('a table of a running round', (t) => {
  let state = certify(runAll(start), 1, ['abcdef0123', 'abcdef0123', 'abcdef0123']);
  state = applyPeerEvent(state, 0, { event: 'training.progressed', atMs: 0, step: 5, of: 10 });
  state = applyPeerEvent(state, 1, {
    event: 'phase.entered',
    atMs: 0,
    phase: 'vote',
    deadlineMs: 70_000,
    waitingFor: ['id-0', '12D3KooWEyoppNCUx8Yx66oV9fJnriXw'],
  });
  state = applyProcessChange(state, 2, 'restarting', 'peer-2 ended unexpectedly');
  t.deepEqual(renderTable(state, plain), [
    'net | round 1/3 | 1:05',
    '  peer    round  phase                  waits for       loss   sent  received  root',
    '* peer-0  1      train #####..... 5/10  -               2.500  0 B   0 B       abcdef01',
    '* peer-1  1      vote (4.0 s left)      peer-0 ~JnriXw  2.500  0 B   0 B       abcdef01',
    'o peer-2  1      restarting             -               2.500  0 B   0 B       abcdef01',
    '+ round 1: 3/3 on one root',
    'peer-2 ended unexpectedly',
  ]);
});

test('different roots are cried out', (t) => {
  const state = certify(runAll(start), 1, ['aa', 'bb', 'aa']);
  t.true(renderTable(state, plain).includes('x round 1: 2 different roots'));
  t.true(renderProgress(runAll(start), state, 2000)[0]!.includes('roots DIFFER'));
});

test('no line is wider than the terminal', (t) => {
  const state = certify(runAll(start), 1, ['aa', 'bb', 'aa']);
  for (const width of [20, 33, 50]) {
    for (const line of renderTable(state, { ...plain, width })) t.true(line.length <= width, line);
  }
});

test('colour and Unicode add nothing but colour and other symbols', (t) => {
  const state = certify(runAll(start), 1, ['aa', 'aa', 'aa']);
  const fancy = renderTable(state, { ...plain, symbols: chooseSymbols(true), color: true });
  t.true(fancy.some((line) => line !== stripVTControlCharacters(line)));
  t.deepEqual(
    fancy.map((line) => stripVTControlCharacters(line).length),
    renderTable(state, plain).map((line) => line.length),
  );
});

test('many whom a peer waits for are counted', (t) => {
  const waitingFor = ['a', 'b', 'c', 'd', 'e'];
  const state = applyPeerEvent(start, 0, { event: 'phase.entered', atMs: 0, phase: 'vote', waitingFor });
  t.true(renderTable(state, plain)[2]!.includes('a b and 3 more'));
});

test('a round counts when every peer that is not lost has applied it', (t) => {
  const two = certify(runAll(start), 1, ['aa', 'aa']);
  t.is(countRounds(two), 0);
  t.is(countRounds(applyProcessChange(two, 2, 'lost')), 1);
});

test('plain progress is one line for each round, and every notice once', (t) => {
  const before = applyProcessChange(runAll(start), 0, 'running', 'first');
  let after = certify(before, 1, ['aa', 'aa', 'aa']);
  after = applyProcessChange(certify(after, 2, ['bb', 'bb', 'bb']), 1, 'running', 'second');
  t.deepEqual(renderProgress(before, after, 61_000), [
    'second',
    'round 1/3  3/3 on one root  loss 2.500 after round 2  sent 0 B  1:00',
    'round 2/3  3/3 on one root  loss 2.500 after round 2  sent 0 B  1:00',
  ]);
  t.deepEqual(renderProgress(after, after, 61_000), []);
});

test('rounds from before a restart are not told again', (t) => {
  let state = start;
  for (const index of [0, 1, 2]) {
    state = applyPeerEvent(state, index, { event: 'peer.started', atMs: 0, id: 'x', addresses: [], round: 5 });
  }
  t.is(countRounds(state), 5);
  t.deepEqual(renderProgress(start, state, 0), []);
});
