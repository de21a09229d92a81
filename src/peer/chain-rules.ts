/** From a manifest to what the layers below work with. Nothing is decided here. */
import { chainBeacon } from '../protocol/beacon.ts';
import type { ChainRules } from '../protocol/chain.ts';
import type { BodyShape } from '../protocol/compressor/index.ts';
import type { Manifest } from '../protocol/manifest.ts';
import { computeModelLayout } from '../protocol/model.ts';
import type { TrainerInit } from '../trainer/trainer-types.ts';
import type { PeerData } from './peer.ts';

/** The rules by which the chain of a network advances. */
export function createChainRules(manifest: Manifest, networkId: string): ChainRules {
  return {
    network: networkId,
    voters: manifest.voters,
    round: manifest.round,
    openSharePermille: manifest.aggregation.openSharePermille,
    beacon: chainBeacon,
  };
}

/** The shape of the bodies of a network. */
export function createBodyShape(manifest: Manifest): BodyShape {
  const { chunkLength, topK } = manifest.compressor;
  return { length: computeModelLayout(manifest.model).length, chunkLength, topK };
}

/** How the trainer of a peer of this network is made; the held-out text is the network's. */
export function createTrainerInit(manifest: Manifest, data: PeerData, threads: number): TrainerInit {
  const { model, inner, compressor } = manifest;
  const { batchSize, sequenceLength } = inner;
  const heldOut = { kind: 'starter', kindIndex: null } as const;
  return { model, batchSize, sequenceLength, threads, inner, compressor, data, heldOut };
}
