/**
 * Worked examples of Algorithm 1 with four voters (q = 3, f = 1), of which this one is voter 0. What all of it comes to
 * under bad networks and liars is in `round-machine.ts`.
 */
import test from 'ava';
import { computeViewTimeout, initialAgreementState } from '../../../src/protocol/round/agreement.ts';
import { a, b, Seat } from '../../helpers/agreement-seat.ts';

const proposeMs = 1000;
const voteMs = 800;

/** A seat that locked `a` in view 0 and is in view 1. */
function lockOnA(): Seat {
  const seat = new Seat().start().proposal(0, a).ballots('prevote', 0, a, 1, 2).advance();
  seat.ballots('precommit', 0, null, 1, 2).advance().advance(voteMs);
  seat.heard();
  return seat;
}

test('in a quiet view: prevote the proposal, precommit on a quorum of prevotes, decide on a quorum of precommits', (t) => {
  const seat = new Seat().start();
  t.deepEqual(seat.heard(), []);
  seat.proposal(0, a).advance();
  t.deepEqual(seat.heard(), ['prevote 0 a']);
  seat.ballots('prevote', 0, a, 1).advance();
  t.deepEqual(seat.heard(), [], 'two of four are no quorum');
  seat.ballots('prevote', 0, a, 2).advance();
  t.deepEqual(seat.heard(), ['precommit 0 a']);
  t.is(seat.agreement.getDecision(), null);
  seat.ballots('precommit', 0, a, 3).advance();
  t.is(seat.agreement.getDecision(), null);
  seat.ballots('precommit', 0, a, 1).advance();
  const decision = seat.agreement.getDecision();
  t.deepEqual([decision?.value, decision?.view], [a, 0]);
  t.deepEqual(
    decision?.precommits.map(({ voter }) => voter),
    [0, 1, 3],
    'by ascending voter, in whatever order they came',
  );
  t.deepEqual(seat.heard(), []);
});

test('the proposer proposes its value once it has one, and prevotes it', (t) => {
  const seat = new Seat({ proposers: [0] });
  seat.own = null;
  seat.start();
  t.deepEqual(seat.heard(), []);
  seat.own = b;
  seat.advance();
  t.deepEqual(seat.heard(), ['propose 0 b after -1', 'prevote 0 b']);
});

test('a proposer without a value by the timeout prevotes nil like anyone else', (t) => {
  const seat = new Seat({ proposers: [0] });
  seat.own = null;
  seat.start().advance(proposeMs - 1);
  t.deepEqual(seat.heard(), []);
  t.deepEqual(seat.advance(1).heard(), ['prevote 0 nil']);
  seat.own = a;
  t.deepEqual(seat.advance().heard(), [], 'too late to propose in this view');
});

test('an invalid proposal gets nil at once', (t) => {
  const seat = new Seat();
  seat.judgements.set(a, false);
  t.deepEqual(seat.start().proposal(0, a).advance().heard(), ['prevote 0 nil']);
});

test('a proposal that cannot be judged yet is waited for, until it can or until the timeout', (t) => {
  const [known, unknown] = [new Seat(), new Seat()];
  for (const seat of [known, unknown]) {
    seat.judgements.set(a, null);
    t.deepEqual(seat.start().proposal(0, a).advance(999).heard(), []);
  }
  known.judgements.set(a, true);
  t.deepEqual(known.advance().heard(), ['prevote 0 a']);
  t.deepEqual(unknown.advance(1).heard(), ['prevote 0 nil']);
  unknown.judgements.set(a, true);
  t.deepEqual(unknown.advance().heard(), [], 'one prevote a view');
});

test('a quorum of prevotes for nil is precommitted as nil at once', (t) => {
  const seat = new Seat().start().proposal(0, a).ballots('prevote', 0, null, 1, 2, 3).advance();
  t.deepEqual(seat.heard(), ['prevote 0 a', 'precommit 0 nil']);
  t.is(seat.agreement.state.lockedView, -1);
});

test('a quorum of prevotes without one voice is given some time, then precommitted as nil', (t) => {
  const seat = new Seat().start().proposal(0, a).ballots('prevote', 0, null, 1).ballots('prevote', 0, b, 2).advance();
  t.deepEqual(seat.heard(), ['prevote 0 a']);
  t.is(seat.agreement.deadlineMs, voteMs);
  t.deepEqual(seat.advance(voteMs - 1).heard(), []);
  t.deepEqual(seat.advance(1).heard(), ['precommit 0 nil']);
});

test('without a quorum of prevotes no time runs', (t) => {
  const seat = new Seat().start().proposal(0, a).ballots('prevote', 0, null, 1).advance();
  seat.heard();
  t.deepEqual(seat.advance(100_000).heard(), []);
  t.is(seat.agreement.deadlineMs, null);
});

test('a quorum of precommits without one voice ends the view after some time', (t) => {
  const seat = new Seat().start().ballots('precommit', 0, null, 1, 2).ballots('precommit', 0, a, 3).advance();
  t.deepEqual(seat.heard(), []);
  seat.advance(voteMs - 1);
  t.is(seat.agreement.state.view, 0);
  seat.advance(1);
  t.is(seat.agreement.state.view, 1);
  t.is(seat.agreement.state.step, 'propose');
});

test('line 22: who is locked prevotes a fresh proposal of its value, and nil for any other', (t) => {
  t.deepEqual(lockOnA().proposal(1, a).advance().heard(), ['prevote 1 a']);
  t.deepEqual(lockOnA().proposal(1, b).advance().heard(), ['prevote 1 nil']);
});

test('a lock on a value does not make it valid', (t) => {
  const seat = lockOnA();
  seat.judgements.set(a, false);
  t.deepEqual(seat.proposal(1, a).advance().heard(), ['prevote 1 nil']);
});

test('line 28: a quorum of prevotes in a view since the lock frees the voter for another value', (t) => {
  const seat = lockOnA();
  t.is(seat.agreement.state.lockedView, 0);
  seat.ballots('prevote', 1, b, 1, 2, 3).start(2);
  t.deepEqual(seat.proposal(2, b, { validView: 1 }).advance().heard(), ['prevote 2 b']);
  seat.ballots('prevote', 2, b, 1, 2).advance();
  t.deepEqual(seat.heard(), ['precommit 2 b']);
  t.deepEqual([seat.agreement.state.lockedView, seat.agreement.state.lockedValue], [2, b]);
});

test('line 28: a quorum of prevotes in the very view of the lock frees it too', (t) => {
  // Prevotes for both values in view 0 take liars beyond the bound; the rule is ≤ all the same.
  const seat = lockOnA().ballots('prevote', 0, b, 1, 2, 3);
  t.deepEqual(seat.proposal(1, b, { validView: 0 }).advance().heard(), ['prevote 1 b']);
});

test('line 28: a quorum of prevotes from before the lock frees nobody', (t) => {
  const seat = new Seat().ballots('prevote', 0, b, 1, 2, 3).start(1);
  seat.proposal(1, a).ballots('prevote', 1, a, 1, 2).advance().start(2);
  t.deepEqual(seat.heard(), ['prevote 1 a', 'precommit 1 a']);
  t.deepEqual(seat.proposal(2, b, { validView: 0 }).advance().heard(), ['prevote 2 nil']);
});

test('line 28: who is locked prevotes its own value whatever view it rests on', (t) => {
  const seat = new Seat().ballots('prevote', 0, a, 1, 2, 3).start(1);
  seat.proposal(1, a).ballots('prevote', 1, a, 1, 2).advance().start(2);
  seat.heard();
  t.deepEqual(seat.proposal(2, a, { validView: 0 }).advance().heard(), ['prevote 2 a']);
});

test('line 28: a proposal that claims a quorum not seen here is waited for, then passed over', (t) => {
  const seat = new Seat().start(1).ballots('prevote', 0, a, 1, 2);
  t.deepEqual(seat.proposal(1, a, { validView: 0 }).advance(proposeMs).heard(), []);
  t.deepEqual(seat.advance(proposeMs).heard(), ['prevote 1 nil'], 'view 1 has half as much time again');
  const other = new Seat().start(1).ballots('prevote', 0, a, 1, 2).proposal(1, a, { validView: 0 }).advance();
  t.deepEqual(other.ballots('prevote', 0, a, 3).advance().heard(), ['prevote 1 a']);
});

test('line 36: a quorum of prevotes that comes after the precommit is remembered, and proposed again by its view', (t) => {
  const seat = new Seat({ proposers: [1, 0] }).start().proposal(0, b).ballots('prevote', 0, null, 1, 2, 3).advance();
  t.deepEqual(seat.heard(), ['prevote 0 b', 'precommit 0 nil']);
  seat.ballots('prevote', 0, b, 1, 2).advance();
  const { lockedView, validView, validValue } = seat.agreement.state;
  t.deepEqual([lockedView, validView, validValue], [-1, 0, b], 'valid, but not locked');
  seat.start(1);
  t.deepEqual(seat.heard(), ['propose 1 b after 0', 'prevote 1 b']);
});

test('line 36: without the proposal, or with one that is not known to be valid, a quorum of prevotes locks nothing', (t) => {
  const without = new Seat().start().ballots('prevote', 0, a, 1, 2, 3).advance(proposeMs);
  t.deepEqual(without.heard(), ['prevote 0 nil']);
  t.is(without.agreement.state.lockedView, -1);
  const unknown = new Seat();
  unknown.judgements.set(a, null);
  unknown.start().proposal(0, a).ballots('prevote', 0, a, 1, 2, 3).advance(proposeMs);
  t.deepEqual(unknown.heard(), ['prevote 0 nil']);
  unknown.judgements.set(a, true);
  t.deepEqual(unknown.advance().heard(), ['precommit 0 a'], 'it may still lock while its step is prevote');
});

test('of two proposals for one view the first is voted on, and either can be locked', (t) => {
  const seat = new Seat().start().proposal(0, a).proposal(0, b).advance();
  t.deepEqual(seat.heard(), ['prevote 0 a']);
  t.deepEqual(seat.ballots('prevote', 0, b, 1, 2, 3).advance().heard(), ['precommit 0 b']);
});

test('a ballot for each of two values counts for both, and its voter once among those who spoke', (t) => {
  const seat = new Seat().start().proposal(0, a);
  seat.ballots('prevote', 0, a, 1).ballots('prevote', 0, b, 1).ballots('prevote', 0, b, 2).advance();
  t.deepEqual(seat.heard(), ['prevote 0 a']);
  t.is(seat.agreement.deadlineMs, voteMs, 'three voters spoke');
  const two = new Seat().start().proposal(0, a);
  two.ballots('prevote', 0, a, 1).ballots('prevote', 0, b, 1).ballots('prevote', 0, null, 1).advance();
  t.is(two.agreement.deadlineMs, proposeMs, 'two voters spoke, so nothing new runs');
  t.deepEqual(seat.ballots('prevote', 0, a, 2).advance().heard(), ['precommit 0 a']);
});

test('line 55: f + 1 voters in a later view take a voter there, one alone does not', (t) => {
  const seat = new Seat({ proposers: [1, 1, 1, 1] }).start().ballots('prevote', 5, null, 1).advance();
  t.is(seat.agreement.state.view, 0);
  t.is(seat.agreement.getSupportedView(), -1, 'only one was heard at all');
  seat.ballots('precommit', 3, null, 2).advance();
  t.is(seat.agreement.state.view, 3, 'two voters are in view 3 or beyond it');
  t.deepEqual(seat.heard(), []);
  seat.ballots('prevote', 2, null, 3).advance();
  t.is(seat.agreement.state.view, 3, 'never back');
});

test('a proposal counts as being in its view', (t) => {
  const seat = new Seat().start().proposal(1, a).ballots('prevote', 1, a, 1).advance();
  t.is(seat.agreement.state.view, 1);
  t.deepEqual(seat.heard(), ['prevote 1 a']);
});

test('a decision of any view is one, also in a view never visited', (t) => {
  const seat = new Seat().start(4).ballots('precommit', 2, null, 1).ballots('precommit', 2, b, 1, 2, 3);
  t.deepEqual([seat.agreement.getDecision()?.value, seat.agreement.getDecision()?.view], [b, 2]);
});

test('a quorum of precommits for nil decides nothing', (t) => {
  t.is(new Seat().start().ballots('precommit', 0, null, 0, 1, 2, 3).agreement.getDecision(), null);
});

test('who only watches says nothing and still sees the decision', (t) => {
  const seat = new Seat({ self: null, proposers: [0] });
  seat.start().proposal(0, a, { voter: 0 }).ballots('prevote', 0, a, 0, 1, 2).advance(100_000);
  t.deepEqual(seat.heard(), []);
  t.is(seat.ballots('precommit', 0, a, 0, 1, 2).agreement.getDecision()?.value, a);
});

test('before the first view nothing is said, whatever comes in', (t) => {
  const seat = new Seat().proposal(0, a).ballots('prevote', 0, a, 1, 2, 3).advance(100_000);
  t.false(seat.agreement.started);
  t.is(seat.agreement.deadlineMs, null);
  t.deepEqual(seat.heard(), []);
  t.deepEqual(seat.start().heard(), ['prevote 0 a', 'precommit 0 a'], 'it was kept');
});

test('a timeout of an earlier view means nothing any more', (t) => {
  const seat = new Seat()
    .start()
    .advance(proposeMs - 1)
    .start(1);
  t.deepEqual(seat.advance(1).heard(), []);
  t.is(seat.agreement.deadlineMs, proposeMs - 1 + 1.5 * proposeMs);
});

test('timeouts grow with the view up to their cap', (t) => {
  const timeouts = { proposeMs, voteMs, viewGrowthPermille: 500, maxViewMs: 2600 };
  t.deepEqual(
    [0, 1, 2, 3, 4, 9999].map((view) => computeViewTimeout(1000, view, timeouts)),
    [1000, 1500, 2000, 2500, 2600, 2600],
  );
  t.is(computeViewTimeout(333, 1, timeouts), 333 + 166, 'the growth is floored');
  t.is(computeViewTimeout(1000, 7, { ...timeouts, viewGrowthPermille: 0 }), 1000);
});

test('a proposer that nobody hears has an eighth of the time', (t) => {
  const seat = new Seat();
  seat.absent.add(1);
  t.deepEqual(seat.start().advance(124).heard(), []);
  t.deepEqual(seat.advance(1).heard(), ['prevote 0 nil']);
});

test('a proposer that goes while it is waited for has its time cut short, and its whole time again if it comes back', (t) => {
  const seat = new Seat();
  t.deepEqual(seat.start().advance(300).heard(), []);
  t.is(seat.agreement.deadlineMs, proposeMs);
  seat.absent.add(1);
  t.is(seat.agreement.deadlineMs, 125, 'past already');
  seat.absent.delete(1);
  t.is(seat.agreement.deadlineMs, proposeMs);
  seat.absent.add(1);
  t.deepEqual(seat.advance(1).heard(), ['prevote 0 nil']);
});

test('after a restart a voter goes on in its view and step, with its lock, its time begun anew', (t) => {
  const state = lockOnA().agreement.state;
  t.deepEqual(state, { view: 1, step: 'propose', lockedView: 0, lockedValue: a, validView: 0, validValue: a });
  const seat = new Seat({ state });
  seat.nowMs = 50_000;
  seat.agreement.resume(seat.nowMs);
  t.is(seat.agreement.deadlineMs, 50_000 + 1.5 * proposeMs);
  t.deepEqual(seat.proposal(1, b).advance().heard(), ['prevote 1 nil'], 'the lock holds');
});

test('after a restart with its vote said, a voter does not vote again, and leaves the view in the end', (t) => {
  const voted = new Seat({ state: { ...initialAgreementState, view: 2, step: 'prevote' } });
  voted.agreement.resume(0);
  t.deepEqual(voted.proposal(2, a).advance().heard(), []);
  t.deepEqual(voted.advance(2 * voteMs).heard(), ['precommit 2 nil']);
  const done = new Seat({ state: { ...initialAgreementState, view: 2, step: 'precommit' } });
  done.agreement.resume(0);
  done.advance(2 * voteMs);
  t.is(done.agreement.state.view, 3);
  t.deepEqual(done.heard(), ['propose 3 a after -1', 'prevote 3 a']);
});

test('a restart before the first view resumes nothing', (t) => {
  const seat = new Seat();
  seat.agreement.resume(0);
  t.is(seat.agreement.deadlineMs, null);
});

test('it names whom it waits for: the proposer, then those whose ballot is missing', (t) => {
  const seat = new Seat();
  t.deepEqual(seat.agreement.waitingFor(4), [1]);
  seat.start();
  t.deepEqual(seat.agreement.waitingFor(4), [1]);
  seat.proposal(0, a).ballots('prevote', 0, a, 3).advance();
  t.deepEqual(seat.agreement.waitingFor(4), [1, 2]);
  seat.ballots('prevote', 0, a, 2).advance();
  t.deepEqual(seat.agreement.waitingFor(4), [1, 2, 3]);
});
