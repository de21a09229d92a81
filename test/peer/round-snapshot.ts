import test from 'ava';
import { madeUp } from '../../simulations/round-node.ts';
import { decodeSnapshot, encodeSnapshot } from '../../src/peer/round-snapshot.ts';
import { maxContributionsBound } from '../../src/protocol/messages.ts';
import { initialAgreementState } from '../../src/protocol/round/agreement.ts';
import type { RoundSnapshot } from '../../src/protocol/round/round-types.ts';
import { maxValueBytes } from '../../src/protocol/value.ts';

const locked: RoundSnapshot = {
  agreement: {
    view: 7,
    step: 'precommit',
    lockedView: 6,
    lockedValue: madeUp('locked'),
    validView: 7,
    validValue: madeUp('valid'),
  },
  values: [Uint8Array.of(1, 2, 3), Uint8Array.of()],
  acceptedCommits: [madeUp('a'), madeUp('b')],
};

test('a snapshot reads back as it was written', (t) => {
  t.deepEqual(decodeSnapshot(encodeSnapshot(locked)), locked);
});

test('so does one from before the first view', (t) => {
  const fresh = { agreement: initialAgreementState, values: [], acceptedCommits: [] };
  t.deepEqual(decodeSnapshot(encodeSnapshot(fresh)), fresh);
});

test('so does the largest that a round can come to', (t) => {
  const values = [1, 2].map((fill) => new Uint8Array(maxValueBytes).fill(fill));
  const acceptedCommits = Array.from({ length: maxContributionsBound }, (_, index) => madeUp(`${index}`));
  const largest = { ...locked, values, acceptedCommits };
  t.deepEqual(decodeSnapshot(encodeSnapshot(largest)), largest);
});

test('bytes that are not a snapshot are none', (t) => {
  const bytes = encodeSnapshot(locked);
  for (const broken of [bytes.subarray(1), bytes.subarray(0, -1), Uint8Array.of(...bytes, 0), new Uint8Array()]) {
    t.is(decodeSnapshot(broken), null);
  }
});
