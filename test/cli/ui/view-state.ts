import test from 'ava';
import {
  applyPeerEvent,
  applyProcessChange,
  compareRoots,
  createViewState,
  type ViewState,
} from '../../../src/cli/ui/view-state.ts';
import type { PeerEvent } from '../../../src/peer/peer.ts';

const start = createViewState('net', ['peer-0', 'peer-1'], 3, 1000);

/** The state after events of peer 0. */
function follow(...events: Omit<PeerEvent, 'atMs'>[]): ViewState {
  return events.reduce<ViewState>(
    (state, event) => applyPeerEvent(state, 0, { atMs: 0, ...event } as PeerEvent),
    start,
  );
}

test('a peer goes through a round', (t) => {
  const training = follow(
    { event: 'peer.started', id: 'abc', addresses: [], round: 0 },
    { event: 'phase.entered', round: 0, phase: 'train', deadlineMs: 5000, waitingFor: ['x'] },
    { event: 'training.progressed', round: 0, step: 3, of: 10, loss: 5 },
  );
  t.like(training.peers[0]!, { state: 'running', id: 'abc', phase: 'train', deadlineMs: 5000, waitingFor: ['x'] });
  t.deepEqual(training.peers[0]!.progress, { step: 3, of: 10 });
  const voting = applyPeerEvent(training, 0, { event: 'phase.entered', atMs: 0, phase: 'vote' });
  t.like(voting.peers[0]!, { phase: 'vote', progress: null, deadlineMs: null, waitingFor: [] });
  const certified = applyPeerEvent(voting, 0, { event: 'round.certified', atMs: 0, round: 1, root: 'ff' });
  t.like(certified.peers[0]!, { round: 1, root: 'ff' });
  t.is(certified.peers[1], start.peers[1]);
});

test('roots are compared over the peers that have told theirs', (t) => {
  const one = follow({ event: 'round.certified', round: 4, root: 'aa' });
  t.deepEqual(compareRoots(one, 4), { known: 1, different: 1 });
  const same = applyPeerEvent(one, 1, { event: 'round.certified', atMs: 0, round: 4, root: 'aa' });
  t.deepEqual(compareRoots(same, 4), { known: 2, different: 1 });
  const other = applyPeerEvent(one, 1, { event: 'round.certified', atMs: 0, round: 4, root: 'bb' });
  t.deepEqual(compareRoots(other, 4), { known: 2, different: 2 });
});

test('old roots are forgotten', (t) => {
  const events = Array.from({ length: 100 }, (_, round) => ({ event: 'round.certified', round, root: `${round}` }));
  const { roots } = follow(...events).peers[0]!;
  t.is(roots.size, 16);
  t.true(roots.has(99));
});

test('warnings and catching up are noted under the name of the peer', (t) => {
  const state = follow({ event: 'warning', message: 'disk is slow' }, { event: 'peer.synced', round: 7 });
  t.deepEqual(state.notices, ['peer-0: disk is slow', 'peer-0: caught up with round 7']);
  const upToDate = applyPeerEvent(state, 0, { event: 'peer.synced', atMs: 0, round: 7 });
  t.is(upToDate.notices.length, 2);
});

test('an event that is not known, and one of a peer that is not there, change nothing', (t) => {
  t.deepEqual(follow({ event: 'moon.rose' }).peers, start.peers);
  t.is(applyPeerEvent(start, 9, { event: 'warning', atMs: 0, message: 'x' }), start);
});

test('a process that ended has no progress and waits for nobody', (t) => {
  const state = follow({ event: 'training.progressed', step: 3, of: 10 });
  const gone = applyProcessChange(state, 0, 'lost', 'peer-0 is gone');
  t.like(gone.peers[0]!, { state: 'lost', progress: null });
  t.deepEqual(gone.notices, ['peer-0 is gone']);
});
