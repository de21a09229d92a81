/** Runs vectors of the format `election`: quorums and ranks of voters, and beacons along a chain. */
import { chainBeacon } from '../../../src/protocol/beacon.ts';
import { computeProposer, computeProposerRanks } from '../../../src/protocol/election.ts';
import { computeFaultBound, computeQuorum } from '../../../src/protocol/quorum.ts';
import type { VectorRunner } from './data.ts';

/** Who proposes in which view, by the members' ids. */
export interface RanksVector {
  readonly name: string;
  readonly beacon: string;
  readonly members: readonly string[];
  readonly faultBound: number;
  readonly quorum: number;
  /** members in the order in which they propose */
  readonly ranks: readonly string[];
  /** the proposer of view 1000 */
  readonly proposerOfView1000: string;
}

/** The beacons of rounds 0, 1, 2, …; each value is the hash of the value of rounds 1, 2, … */
export interface BeaconVector {
  readonly name: string;
  readonly network: string;
  readonly values: readonly string[];
  readonly beacons: readonly string[];
}

/** B_0 and every beacon that follows from these values. */
export function computeBeacons(network: string, values: readonly string[]): string[] {
  const beacons = [chainBeacon.genesis(network)];
  for (const previous of [network, ...values]) beacons.push(chainBeacon.next(beacons.at(-1)!, previous));
  return beacons;
}

export const run: VectorRunner = (t, vector) => {
  if ('values' in vector) {
    const { network, values, beacons } = vector as BeaconVector;
    t.deepEqual(computeBeacons(network, values), [...beacons]);
    return;
  }
  const { beacon, members, faultBound, quorum, ranks, proposerOfView1000 } = vector as RanksVector;
  const order = computeProposerRanks(
    members.map((member) => ({ member, key: '' })),
    beacon,
  );
  t.deepEqual(
    order.map((index) => members[index]),
    [...ranks],
  );
  t.is(members[computeProposer(order, 1000)], proposerOfView1000);
  t.is(computeFaultBound(members.length), faultBound);
  t.is(computeQuorum(members.length), quorum);
};
