/** A small valid manifest for tests: preset nano, six rounds, voters with made-up keys. */
import { createManifest, type ManifestInit } from '../../src/protocol/create-manifest.ts';
import type { Manifest, ManifestVoter } from '../../src/protocol/manifest.ts';

/** Voters `peer-0` … with keys that are different and nobody's. */
export function exampleVoters(count: number): ManifestVoter[] {
  return Array.from({ length: count }, (_, index) => ({
    member: `peer-${index}`,
    key: index.toString(16).padStart(2, '0').repeat(32),
  }));
}

/** The example with `voterCount` voters and whatever `init` changes. */
export function createExampleManifest(voterCount = 4, init: Partial<ManifestInit> = {}): Manifest {
  return createManifest('nano', {
    name: 'example',
    seed: '11'.repeat(32),
    voters: exampleVoters(voterCount),
    rounds: 6,
    heldOutHash: '22'.repeat(32),
    ...init,
  });
}
