/**
 * Public randomness of a round. This version follows from the certified chain alone, so whoever chooses a value can try
 * several and keep the one whose beacon pleases it: it can be ground, and spec/election.md says so. Tickets
 * (ECVRF) come behind the same interface.
 */
import { computeHash } from './hash.ts';
import { fromHex, toHex } from './hex.ts';

/** Gives B_r from what the chain had certified before round r. All hashes are hex of 32 bytes. */
export interface Beacon {
  /** B_0, before any round. */
  genesis(network: string): string;
  /** B_r from B_{r−1} and the hash of value r − 1 (the network id stands for value 0). */
  next(previousBeacon: string, previousValue: string): string;
}

/** B_0 = H(network id), B_r = SHA-256("tapestry/beacon/v0" ‖ 0 ‖ B_{r−1} ‖ hash of value r − 1). */
export const chainBeacon: Beacon = {
  genesis: (network) => toHex(computeHash('tapestry/beacon/v0', fromHex(network))),
  next: (previousBeacon, previousValue) =>
    toHex(computeHash('tapestry/beacon/v0', fromHex(previousBeacon), fromHex(previousValue))),
};
