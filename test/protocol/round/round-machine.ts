/**
 * The machine of a round under bad networks, faulty voters and power cuts: n = 1, 3 … 7, seeded schedules, a virtual
 * clock. What is driven here is what peers run.
 */
import test from 'ava';
import { badNetwork, createSchedule, findForks, isDone } from '../../../simulations/round-schedule.ts';
import { RoundWorld, type Schedule } from '../../../simulations/round-world.ts';
import { computeFaultBound } from '../../../src/protocol/quorum.ts';

const schedulesOf: Readonly<Record<number, number>> = { 1: 10, 3: 40, 4: 60, 5: 40, 6: 30, 7: 24 };

test('on a quiet network everyone is included in every round, in the first view', (t) => {
  for (const voters of [1, 3, 4, 7]) {
    const schedule = { ...badNetwork, voters, seed: voters, loss: 0, duplicates: 0, healsAtMs: 0 };
    const report = new RoundWorld(schedule).run();
    t.true(isDone(report, 3));
    t.deepEqual(findForks(report), []);
    t.is(report.highestView, 0);
    t.true(
      report.included.every((last) => last.every((round) => round >= 3)),
      `n = ${voters}`,
    );
  }
});

for (const [name, schedules] of Object.entries(schedulesOf)) {
  const voters = Number(name);
  test(`n = ${voters}: any order, loss and duplication, up to f faulty: never two values, and the rounds end`, (t) => {
    for (let seed = 0; seed < schedules; seed++) {
      const schedule = createSchedule(voters, computeFaultBound(voters), seed);
      const report = new RoundWorld(schedule).run();
      t.deepEqual(findForks(report), [], `seed ${schedule.seed}, faults ${schedule.faults}`);
      t.true(isDone(report, badNetwork.rounds), `seed ${schedule.seed}, faults ${schedule.faults}: stuck`);
    }
  });
}

test('when ballots get lost, whoever decides later decides the same', (t) => {
  let laterViews = 0;
  for (const voters of [3, 4, 7]) {
    for (let seed = 0; seed < 15; seed++) {
      const lossy = { loss: 0.2, ballotLoss: 0.6, healsAtMs: 12_000, rounds: 1 };
      const report = new RoundWorld({ ...badNetwork, ...lossy, voters, seed: 90_000 + 100 * voters + seed }).run();
      laterViews += report.highestView > 0 ? 1 : 0;
      t.deepEqual(findForks(report), [], `n = ${voters}, seed ${seed}`);
      t.true(isDone(report, 1), `n = ${voters}, seed ${seed}: stuck`);
    }
  }
  t.true(laterViews > 10, `only ${laterViews} schedules needed a second view`);
});

test('peers that lose power before or after their durable writes never contradict themselves, and finish', (t) => {
  let powerCuts = 0;
  for (const voters of [1, 3, 4, 7]) {
    for (let seed = 0; seed < 12; seed++) {
      const schedule = { ...badNetwork, voters, seed: 50_000 + 100 * voters + seed, powerCuts: 0.03 };
      const report = new RoundWorld(schedule).run();
      powerCuts += report.powerCuts;
      t.deepEqual(report.contradictions, [], `seed ${schedule.seed}`);
      t.deepEqual(findForks(report), [], `seed ${schedule.seed}`);
      t.true(isDone(report, badNetwork.rounds), `seed ${schedule.seed}: stuck`);
    }
  }
  t.true(powerCuts > 100, `only ${powerCuts} power cuts happened`);
});

test('with more than f twins in a partition two values are certified: these checks can fail', (t) => {
  const schedule: Schedule = {
    ...badNetwork,
    voters: 4,
    faults: ['twins', 'twins'],
    rounds: 1,
    seed: 1,
    loss: 0,
    healsAtMs: 60_000,
    endsAtMs: 60_000,
    partition: true,
  };
  t.deepEqual(findForks(new RoundWorld(schedule).run()), [1]);
});

test('a partition without a quorum certifies nothing until it heals', (t) => {
  const schedule: Schedule = {
    ...badNetwork,
    voters: 4,
    rounds: 1,
    seed: 3,
    loss: 0,
    healsAtMs: 30_000,
    partition: true,
  };
  t.deepEqual(
    new RoundWorld({ ...schedule, endsAtMs: 30_000 }).run().decided.map((values) => values.length),
    [0, 0, 0, 0],
  );
  t.true(isDone(new RoundWorld(schedule).run(), 1));
});
