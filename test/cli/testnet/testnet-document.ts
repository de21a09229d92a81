import test from 'ava';
import type { TestnetPlan } from '../../../src/cli/testnet/plan-testnet.ts';
import { createTestnetDocument, describeTestnet } from '../../../src/cli/testnet/testnet-document.ts';
import type { PeerStatus } from '../../../src/peer/peer.ts';
import { createExampleManifest } from '../../helpers/example-manifest.ts';

const plan: TestnetPlan = {
  device: { kind: 'cpu' },
  dir: '/net',
  resumed: false,
  rounds: 6,
  manifest: createExampleManifest(3),
  networkId: 'ab'.repeat(32),
  peers: ['peer-0', 'peer-1', 'peer-2'].map((name) => {
    return { name, id: `id-${name}`, home: `/net/${name}`, data: { kind: 'starter', kindIndex: 0 } };
  }),
  threads: 1,
};

function status(changes: Partial<PeerStatus> = {}): PeerStatus {
  return {
    round: 6,
    root: 'ff',
    heldOutLoss: { first: 5.5, last: 2.5 },
    heldOutLossPerKind: { md: 2, js: 3 },
    bytesSent: 10,
    bytesReceived: 20,
    contributions: { included: 18, rejected: 1 },
    roundOverhead: 0.2,
    bodyBytesPerParameter: 0.06,
    ...changes,
  } as PeerStatus;
}

test('numbers of all peers are put together', (t) => {
  const statuses = [
    status(),
    status({ roundOverhead: 0.3 }),
    status({ bodyBytesPerParameter: 0.07, roundOverhead: 0.4 }),
  ];
  const document = createTestnetDocument(plan, { statuses, lost: [] });
  t.like(document, { rounds: 6, rootsAgree: true, bodyBytesPerParameter: 0.07, dir: '/net', network: plan.networkId });
  t.true(Math.abs(document.roundOverhead - 0.3) < 1e-12);
  t.is(document.parameters, 213_568);
  t.like(document.peers[1]!, { id: 'id-peer-1', home: '/net/peer-1', rounds: 6, root: 'ff' });
});

test('a different root, a round behind and a peer without a word are no agreement', (t) => {
  for (const odd of [status({ root: 'ee' }), status({ round: 5 }), null]) {
    t.false(createTestnetDocument(plan, { statuses: [status(), status(), odd], lost: [] }).rootsAgree);
  }
  t.false(createTestnetDocument(plan, { statuses: [null, null, null], lost: [] }).rootsAgree);
});

test('a peer that never told anything counts with nothing', (t) => {
  const document = createTestnetDocument(plan, { statuses: [status(), null, status()], lost: ['peer-1'] });
  t.is(document.rounds, 0);
  t.true(Math.abs(document.roundOverhead - 0.2) < 1e-12);
  t.like(document.peers[1]!, { rounds: 0, root: '', bytesSent: 0, heldOutLoss: { first: null, last: null } });
});

test('in words it ends with what to do next', (t) => {
  const document = createTestnetDocument(plan, { statuses: [status(), status(), status()], lost: [] });
  const lines = describeTestnet({ ...document, soloLoss: { best: 2.8, perPeer: [2.8, 2.9, 3] } }, ['peer-2']);
  t.true(lines.includes('3 peers, 6 rounds, all on base ff'));
  t.true(lines.includes('held-out loss  5.500 to 2.500 nats per byte (md 2.000, js 3.000)'));
  t.true(lines.includes('alone          2.800 is the best of the peers that trained alone; together is 0.300 better'));
  t.true(lines.includes('lost           peer-2'));
  t.deepEqual(lines.slice(-2), [
    'Check it offline:  npx tapestry-peer verify /net/peer-0 /net/peer-1 /net/peer-2',
    'Train on:          npx tapestry-peer testnet up --dir /net --rounds 66',
  ]);
});
