import { createHash } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { createTestRules, madeUp } from '../../simulations/round-node.ts';
import { computeProposer, computeProposerRanks } from '../../src/protocol/election.ts';

const drawOf = (beacon: string, member: string): string =>
  createHash('sha256').update('tapestry/elect/v1\0').update(Buffer.from(beacon, 'hex')).update(member).digest('hex');

test('voters are ranked by the hash of beacon and member id, the lowest first', (t) => {
  const { voters } = createTestRules(7);
  const beacon = madeUp('beacon');
  const ranks = computeProposerRanks(voters, beacon);
  const draws = ranks.map((index) => drawOf(beacon, voters[index]!.member));
  t.deepEqual(draws, [...draws].sort());
  t.deepEqual([...ranks].sort(), [0, 1, 2, 3, 4, 5, 6]);
});

test('the key of a member has no part in its rank', (t) => {
  const { voters } = createTestRules(5);
  const others = voters.map(({ member }) => ({ member, key: madeUp(`another ${member}`) }));
  t.deepEqual(computeProposerRanks(others, madeUp('b')), computeProposerRanks(voters, madeUp('b')));
});

test('ties go to the lower member id', (t) => {
  const twins = [
    { member: 'same', key: madeUp('1') },
    { member: 'same', key: madeUp('2') },
  ];
  t.deepEqual(computeProposerRanks(twins, madeUp('b')), [0, 1]);
});

test('views take the ranks in turn, for ever', (t) => {
  const ranks = [2, 0, 1];
  t.deepEqual(
    [0, 1, 2, 3, 4, 5, 300].map((view) => computeProposer(ranks, view)),
    [2, 0, 1, 2, 0, 1, 2],
  );
  t.is(computeProposer([0], 9), 0);
});

test('the order in which voters are listed does not change who proposes', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.uint8Array({ minLength: 32, maxLength: 32 }), (count, bytes) => {
      const { voters } = createTestRules(count);
      const beacon = Buffer.from(bytes).toString('hex');
      const reversed = [...voters].reverse();
      const named = (list: typeof voters): string[] =>
        computeProposerRanks(list, beacon).map((index) => list[index]!.member);
      return named(voters).join() === named(reversed).join();
    }),
    { seed: 34_001, numRuns: 200 },
  );
  t.pass();
});

test('over many beacons every voter comes first about equally often', (t) => {
  const { voters } = createTestRules(4);
  const firsts = [0, 0, 0, 0];
  for (let index = 0; index < 2000; index++) firsts[computeProposerRanks(voters, madeUp(`beacon ${index}`))[0]!]!++;
  t.true(
    firsts.every((count) => Math.abs(count - 500) < 80),
    firsts.join(),
  );
});
