import test from 'ava';
import { computeFaultBound, computeQuorum } from '../../src/protocol/quorum.ts';

const sizes = Array.from({ length: 1000 }, (_, index) => index + 1);

test('the quorums of 1 to 7 voters are those of the table', (t) => {
  t.deepEqual([1, 2, 3, 4, 5, 6, 7].map(computeFaultBound), [0, 0, 0, 1, 1, 1, 2]);
  t.deepEqual([1, 2, 3, 4, 5, 6, 7].map(computeQuorum), [1, 2, 2, 3, 4, 4, 5]);
});

test('with 3f + 1 voters the quorum is 2f + 1', (t) => {
  for (let faults = 0; faults < 50; faults++) t.is(computeQuorum(3 * faults + 1), 2 * faults + 1);
});

test('for 1 to 1000 voters: fewer than a third may lie, and one more would be a third', (t) => {
  for (const voters of sizes) {
    const faults = computeFaultBound(voters);
    t.true(3 * faults < voters && voters <= 3 * (faults + 1), `n = ${voters}`);
  }
});

test('for 1 to 1000 voters: two quorums share an honest voter, the honest alone are a quorum, and no smaller one would do', (t) => {
  for (const voters of sizes) {
    const faults = computeFaultBound(voters);
    const quorum = computeQuorum(voters);
    t.true(2 * quorum - voters > faults, `n = ${voters}: two quorums share more than f`);
    t.true(voters - faults >= quorum, `n = ${voters}: n − f voters are a quorum`);
    t.false(2 * (quorum - 1) - voters > faults, `n = ${voters}: q − 1 would not do`);
    t.true(quorum > faults, `n = ${voters}: an honest voter is in every quorum`);
  }
});
