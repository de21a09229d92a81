/** A network with real keys and a model of a few thousand parameters: everything of a chain but the training. */

import { madeUp } from '../../simulations/round-node.ts';
import { createBodyShape, createChainRules } from '../../src/peer/chain-rules.ts';
import type { ChainRules } from '../../src/protocol/chain.ts';
import type { BodyShape } from '../../src/protocol/compressor/index.ts';
import { createManifest } from '../../src/protocol/create-manifest.ts';
import { fromHex, toHex } from '../../src/protocol/hex.ts';
import type { Manifest } from '../../src/protocol/manifest.ts';
import { computeNetworkId } from '../../src/protocol/manifest-canonical.ts';
import { createFastSigner, type Signer } from '../../src/protocol/signature.ts';

/** What a test needs to speak for every voter of a network. */
export interface SmallNetwork {
  readonly manifest: Manifest;
  readonly networkId: string;
  readonly rules: ChainRules;
  readonly shape: BodyShape;
  /** seed of each voter, by voter index */
  readonly seeds: readonly Uint8Array[];
  readonly signers: readonly Signer[];
}

const tinyModel = [
  ['model.dim', '16'],
  ['model.layers', '1'],
  ['model.heads', '2'],
  ['model.kvHeads', '1'],
  ['model.feedForward', '16'],
  ['inner.steps', '1'],
  ['inner.batchSize', '1'],
  ['inner.sequenceLength', '16'],
  ['heldOut.sequencesPerKind', '1'],
  ['compressor.k', '32'],
] as const;

/** A network of `voters` with the smallest useful model; `overrides` as `--set` takes them. */
export function createSmallNetwork(
  voters: number,
  overrides: readonly (readonly [string, string])[] = [],
  heldOutHash: string = '22'.repeat(32),
): SmallNetwork {
  const seeds = Array.from({ length: voters }, (_, index) => fromHex(madeUp(`seed ${index}`)));
  const signers = seeds.map((seed) => createFastSigner(seed));
  const manifest = createManifest('nano', {
    name: 'small',
    rounds: 100,
    seed: '11'.repeat(32),
    voters: signers.map((signer, index) => ({ member: `peer-${index}`, key: toHex(signer.publicKey) })),
    heldOutHash,
    overrides: [...tinyModel, ...overrides],
  });
  const networkId = toHex(computeNetworkId(manifest));
  const rules = createChainRules(manifest, networkId);
  return { manifest, networkId, rules, shape: createBodyShape(manifest), seeds, signers };
}
