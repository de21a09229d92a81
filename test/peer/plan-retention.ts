import test from 'ava';
import fc from 'fast-check';
import { isCheckpointDue, type KeptRound, planRetention, type RetentionLimits } from '../../src/peer/plan-retention.ts';

const baseBytes = 100;

/** Rounds of ten bytes from `first` on; `bases` are the rounds whose base is kept. */
function makeRounds(first: number, count: number, bases: readonly number[]): KeptRound[] {
  return Array.from({ length: count }, (_, index) => {
    const round = first + index;
    return { round, bytes: 10, hasBase: bases.includes(round) };
  });
}

function plan(rounds: readonly KeptRound[], keepBytes: number): number {
  return planRetention(rounds, rounds.at(-1)!.round - 2, { keepBytes, baseBytes });
}

test('everything stays while it fits', (t) => {
  const rounds = makeRounds(1, 50, [21, 41]);
  t.is(plan(rounds, 50 * 10 + 2 * baseBytes), 1);
  t.is(plan(rounds, 50 * 10 + 2 * baseBytes - 1), 21, 'a byte too many: the oldest segment goes as a whole');
});

test('as few segments go as are needed', (t) => {
  const rounds = makeRounds(1, 50, [11, 21, 31, 41]);
  // From round 31 on: twenty rounds and two bases.
  t.is(plan(rounds, 400), 31);
  t.is(plan(rounds, 399), 41);
  t.is(plan(rounds, 529), 31, 'from round 21 on it would be 600');
  t.is(plan(rounds, 600), 21);
});

test('where nothing fits, the last rounds stay, if there is a base that they start from', (t) => {
  t.is(plan(makeRounds(1, 50, [11, 48]), 0), 48);
  t.is(plan(makeRounds(1, 50, [11]), 0), 11);
  t.is(plan(makeRounds(1, 50, []), 0), 1, 'no start but the first');
  t.is(plan(makeRounds(1, 50, [11, 49, 50]), 0), 11, 'what is recent is no start');
});

test('bases that are on the disk for other reasons do not count', (t) => {
  const recent = makeRounds(1, 50, [48, 49, 50]);
  t.is(plan(recent, 500), 1);
  t.is(plan(recent, 499), 48);
});

test('rounds that went earlier are not asked for again', (t) => {
  t.is(plan(makeRounds(21, 30, [21, 41]), 300 + 2 * baseBytes), 21);
  t.is(plan(makeRounds(21, 30, [21, 41]), 300 + 2 * baseBytes - 1), 41);
});

test('what is kept fits, is never more than needed, and starts from a base', (t) => {
  const scenario = fc.record({
    sizes: fc.array(fc.nat(50), { minLength: 4, maxLength: 60 }),
    bases: fc.array(fc.nat(60), { maxLength: 10 }),
    keepBytes: fc.nat(3000),
  });
  fc.assert(
    fc.property(scenario, ({ sizes, bases, keepBytes }) => {
      const rounds = sizes.map((bytes, index) => ({ round: 5 + index, bytes, hasBase: bases.includes(index) }));
      const recentFrom = rounds.at(-1)!.round - 2;
      const limits: RetentionLimits = { keepBytes, baseBytes };
      const weight = (from: number): number =>
        rounds
          .filter(({ round }) => round >= from)
          .reduce((sum, { round, bytes, hasBase }) => sum + bytes + (hasBase && round < recentFrom ? baseBytes : 0), 0);
      const starts = rounds.filter(({ round, hasBase }) => round === 5 || (hasBase && round <= recentFrom));
      const expected = starts.find(({ round }) => weight(round) <= keepBytes) ?? starts.at(-1)!;
      t.is(planRetention(rounds, recentFrom, limits), expected.round);
    }),
    { seed: 3, numRuns: 500 },
  );
});

test('a base is kept when what came since the last one weighs eight of it', (t) => {
  const limits = { keepBytes: 1e9, baseBytes };
  t.false(isCheckpointDue(799, limits));
  t.true(isCheckpointDue(800, limits));
});

test('or a quarter of what may be kept, but never less than one of it', (t) => {
  t.false(isCheckpointDue(499, { keepBytes: 2000, baseBytes }));
  t.true(isCheckpointDue(500, { keepBytes: 2000, baseBytes }));
  t.false(isCheckpointDue(99, { keepBytes: 0, baseBytes }));
  t.true(isCheckpointDue(100, { keepBytes: 0, baseBytes }));
});
