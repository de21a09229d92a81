/**
 * Runs many seeded schedules of the round machine and prints what came of them as JSON lines: lost, delayed and doubled
 * messages, partitions, power cuts, and up to f voters that lie. Only the agreement, no training.
 *
 *     npm run simulate:rounds -- --voters 4,7 --schedules 200 --seed 1
 *
 * Exit code 0 if no round had two values and every schedule ended, 3 otherwise.
 */
import { parseArgs } from 'node:util';
import { computeFaultBound } from '../src/protocol/quorum.ts';
import { createSchedule, findForks, isDone } from './round-schedule.ts';
import { RoundWorld } from './round-world.ts';

const { values } = parseArgs({
  options: {
    voters: { type: 'string', default: '1,3,4,5,6,7' },
    schedules: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  },
});

let failures = 0;
for (const voters of values.voters.split(',').map(Number)) {
  for (let index = 0; index < Number(values.schedules); index++) {
    const schedule = createSchedule(voters, computeFaultBound(voters), Number(values.seed) + index);
    const report = new RoundWorld(schedule).run();
    const forks = findForks(report);
    const isGood = forks.length === 0 && report.contradictions.length === 0 && isDone(report, schedule.rounds);
    failures += isGood ? 0 : 1;
    const { seed, faults } = schedule;
    const { endedAtMs, highestView, powerCuts } = report;
    console.log(JSON.stringify({ voters, seed, faults, forks, isDone: isGood, endedAtMs, highestView, powerCuts }));
  }
}
process.exitCode = failures === 0 ? 0 : 3;
