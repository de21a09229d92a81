import test from 'ava';
import { createBodyShape, createChainRules } from '../../src/peer/chain-rules.ts';
import { chainBeacon } from '../../src/protocol/beacon.ts';
import { computeModelLayout } from '../../src/protocol/model.ts';
import { createExampleManifest } from '../helpers/example-manifest.ts';

const manifest = createExampleManifest(4, {
  overrides: [
    ['aggregation.openSharePermille', '123'],
    ['compressor.k', '17'],
  ],
});

test('the rules are those of the manifest', (t) => {
  t.deepEqual(createChainRules(manifest, 'ab'.repeat(32)), {
    network: 'ab'.repeat(32),
    voters: manifest.voters,
    round: manifest.round,
    openSharePermille: 123,
    beacon: chainBeacon,
  });
});

test('a body has the length of the model and the numbers of the compressor', (t) => {
  const { length } = computeModelLayout(manifest.model);
  t.deepEqual(createBodyShape(manifest), { length, chunkLength: 4096, topK: 17 });
});
