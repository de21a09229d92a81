import test from 'ava';
import { createTestRules, madeUp } from '../../simulations/round-node.ts';
import { chainBeacon } from '../../src/protocol/beacon.ts';
import {
  advanceChain,
  type ChainState,
  computeCounters,
  computeStateRoot,
  computeTrainDeadline,
  createChainState,
  getParticipation,
} from '../../src/protocol/chain.ts';
import { encodeCanonical } from '../../src/protocol/codec.ts';
import { computeValue } from '../../src/protocol/compute-value.ts';
import { computeHash } from '../../src/protocol/hash.ts';
import { toHex } from '../../src/protocol/hex.ts';
import type { ValueContribution } from '../../src/protocol/value.ts';

const rules = createTestRules(4);
const genesis = createChainState(rules, madeUp('base'));
const included = (key: string | null): ValueContribution => ({
  contribution: madeUp(`contribution ${key}`),
  key,
  outcome: 'included',
  weight: 1,
  clip: 1,
});
/** Last included rounds to the deadline after round 20, which began with 4000 ms. Memory is 8 rounds. */
const deadlineAfter = (...lastIncluded: number[]): number => computeTrainDeadline(rules.round, 4000, lastIncluded, 20);

test('before round 1 the network id stands for the value before', (t) => {
  t.deepEqual(genesis, {
    round: 1,
    base: madeUp('base'),
    previous: rules.network,
    beacon: chainBeacon.genesis(rules.network),
    trainDeadlineMs: 4000,
    lastIncluded: [-1, -1, -1, -1],
    lastSigned: [-1, -1, -1, -1],
  });
});

test('the deadline shortens to 7/8 when everyone who was recently included is', (t) => {
  t.is(deadlineAfter(20, 20, 20, 20), 3500);
  t.is(deadlineAfter(20, -1, 12, 1), 3500, 'voters not included within the memory are not counted');
});

test('the deadline stays when some are missing, but at least two thirds are there', (t) => {
  t.is(deadlineAfter(20, 20, 20, 19), 4000);
  t.is(deadlineAfter(20, 20, 19), 4000, 'two of three are exactly two thirds');
});

test('the deadline doubles when fewer than two thirds, rounded up, are included', (t) => {
  t.is(deadlineAfter(20, 20, 19, 19), 8000, '2 of 4 are below ⌈8/3⌉ = 3');
  t.is(deadlineAfter(20, 19, 19), 8000);
  t.is(deadlineAfter(20, 19), 8000, '1 of 2 is below ⌈4/3⌉ = 2');
});

test('the deadline doubles when nobody is included, whether or not anyone was before', (t) => {
  t.is(deadlineAfter(-1, -1, -1, -1), 8000);
  t.is(deadlineAfter(19, 19, 19, 19), 8000);
});

test('a voter counts as recent for as many rounds as the memory has', (t) => {
  t.is(deadlineAfter(20, 20, 13), 4000, 'round 13 is the last of the eight');
  t.is(deadlineAfter(20, 20, 12), 3500, 'round 12 is forgotten');
  t.is(computeTrainDeadline({ ...rules.round, memory: 1 }, 4000, [20, 19, 19], 20), 3500);
});

test('the deadline is a whole number of milliseconds within the bounds of the manifest', (t) => {
  t.is(computeTrainDeadline(rules.round, 1001, [20], 20), 1000);
  t.is(computeTrainDeadline(rules.round, 1145, [20], 20), 1001, '1145 · 7 / 8 is floored');
  t.is(computeTrainDeadline(rules.round, 15_000, [], 20), 20_000);
});

test('a value tells which voters were included, voted and precommitted; trainers have no index', (t) => {
  const [a, , c] = rules.voters;
  const contributions: ValueContribution[] = [
    included(c!.key),
    included(madeUp('trainer')),
    { ...included(a!.key), outcome: 'equivocated' },
    { ...included(null), outcome: 'unavailable' },
  ];
  const evidence = [
    { voter: 1, vote: madeUp('vote') },
    { voter: 3, vote: madeUp('vote') },
  ];
  t.deepEqual(getParticipation(rules.voters, { contributions, evidence, precommits: [{ voter: 2, signature: '' }] }), {
    included: [2],
    voted: [1, 3],
    precommitted: [2],
  });
});

test('the counters note the round of a contribution and a vote, and the round before for a precommit', (t) => {
  const state: ChainState = { ...genesis, round: 5, lastIncluded: [4, 4, 4, -1], lastSigned: [-1, 4, 2, -1] };
  const counters = computeCounters(rules, state, { included: [0, 1], voted: [1], precommitted: [0, 1, 2] });
  t.deepEqual(counters, { trainDeadlineMs: 4000, lastIncluded: [5, 5, 4, -1], lastSigned: [4, 5, 4, -1] });
  t.deepEqual(state.lastIncluded, [4, 4, 4, -1], 'the state it started from is left alone');
});

test('the state root is a hash of the three counters and changes with each', (t) => {
  const counters = { trainDeadlineMs: 1, lastIncluded: [1, -1], lastSigned: [2, -1] };
  t.is(computeStateRoot(counters), toHex(computeHash('tapestry/state/v1', encodeCanonical(counters))));
  const others = [{ trainDeadlineMs: 2 }, { lastIncluded: [1, 1] }, { lastSigned: [2, 1] }];
  const roots = [counters, ...others.map((other) => ({ ...counters, ...other }))].map(computeStateRoot);
  t.is(new Set(roots).size, 4);
});

test('the state root does not depend on what else the state holds', (t) => {
  t.is(computeStateRoot(genesis), computeStateRoot({ ...genesis, base: madeUp('other'), round: 9 } as ChainState));
});

test('a value advances the chain by one round', (t) => {
  const evidence = [0, 1, 2].map((voter) => ({ voter, vote: madeUp(`vote ${voter}`) }));
  const contributions = [included(rules.voters[3]!.key)];
  const parts = { evidence, contributions, precommitView: 0, precommits: [] };
  const value = computeValue(rules, genesis, parts, madeUp('next'));
  t.deepEqual(advanceChain(rules, genesis, value, madeUp('value hash')), {
    round: 2,
    base: madeUp('next'),
    previous: madeUp('value hash'),
    beacon: chainBeacon.next(genesis.beacon, rules.network),
    trainDeadlineMs: 3500,
    lastIncluded: [-1, -1, -1, 1],
    lastSigned: [1, 1, 1, -1],
  });
});
