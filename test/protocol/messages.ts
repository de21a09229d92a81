import test from 'ava';
import fc from 'fast-check';
import { madeUp } from '../../simulations/round-node.ts';
import { encodeCanonical } from '../../src/protocol/codec.ts';
import { equalBytes } from '../../src/protocol/hex.ts';
import {
  type ContributionMessage,
  computeCommitment,
  computeMessageHash,
  computeSlot,
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageType,
  maxContributionsBound,
  maxEnvelopeBytes,
  messageFields,
} from '../../src/protocol/messages.ts';
import { encodeRecord } from '../../src/protocol/record.ts';
import { anyMessage } from '../helpers/arbitrary-messages.ts';

const header = { version: 1, network: madeUp('network'), round: 3, key: madeUp('key') } as const;
const contribution: ContributionMessage = {
  ...header,
  type: 'contribution',
  base: madeUp('base'),
  body: madeUp('body'),
  salt: madeUp('salt'),
  innerSteps: 10,
  tokens: 2560,
  device: 'cpu',
};
const messages: Readonly<Record<MessageType, Message>> = {
  training: { ...header, type: 'training' },
  commit: { ...header, type: 'commit', commitment: madeUp('commitment'), workRoot: madeUp('work') },
  closed: { ...header, type: 'closed' },
  contribution,
  vote: { ...header, type: 'vote', contributions: [madeUp('a'), madeUp('b')].sort() },
  proposal: { ...header, type: 'proposal', view: 2, validView: 1, value: Uint8Array.of(1, 2) },
  prevote: { ...header, type: 'prevote', view: 2, value: madeUp('value') },
  precommit: { ...header, type: 'precommit', view: 2, value: null },
};

/** Payload bytes of a message with some of its wire fields replaced, added or, with undefined, left out. */
function encodeWith(message: Message, changes: Readonly<Record<string, unknown>>): Uint8Array {
  const data = { ...encodeRecord(messageFields[message.type], message), ...changes };
  return encodeCanonical(Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)));
}

function reasonOf(payload: Uint8Array): string {
  const checked = decodeMessage(payload);
  return checked.outcome === 'accept' ? 'accepted' : checked.reason;
}

for (const [type, message] of Object.entries(messages)) {
  test(`a ${type} becomes bytes and comes back`, (t) => {
    t.deepEqual(decodeMessage(encodeMessage(message)), { outcome: 'accept', value: message });
  });

  test(`a ${type} is refused with a field too few or too many, whichever it is`, (t) => {
    for (const field of Object.keys(messageFields[message.type])) {
      t.is(reasonOf(encodeWith(message, { [field]: undefined })), field === 'type' ? 'type-unknown' : 'field-missing');
    }
    t.is(reasonOf(encodeWith(message, { extra: 1 })), 'field-unknown');
  });

  test(`a ${type} is refused with any field of another kind`, (t) => {
    for (const field of Object.keys(messageFields[message.type]).filter((name) => name !== 'type')) {
      for (const other of [false, 'text', { a: 1 }]) {
        t.is(reasonOf(encodeWith(message, { [field]: other })), 'field-kind', field);
      }
    }
  });
}

test('encoding, decoding and encoding again gives the same bytes, for any message', (t) => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const bytes = encodeMessage(message);
      const checked = decodeMessage(bytes);
      return checked.outcome === 'accept' && equalBytes(encodeMessage(checked.value), bytes);
    }),
    { seed: 31_001, numRuns: 2000 },
  );
  t.pass();
});

test('a payload larger than an envelope is not read', (t) => {
  t.is(reasonOf(new Uint8Array(maxEnvelopeBytes + 1)), 'too-large');
});

test('bytes that are no dag-cbor, or not its canonical form, are refused', (t) => {
  t.is(reasonOf(Uint8Array.of(0xff)), 'not-cbor');
  const closed = encodeMessage(messages.closed);
  const longKey = Uint8Array.from([...closed.subarray(0, 1), 0x78, closed[1]! - 0x60, ...closed.subarray(2)]);
  t.not(reasonOf(longKey), 'accepted');
});

for (const [name, data] of Object.entries({
  'an unknown type': { type: 'commitment' },
  'a type that is no text': { type: 1 },
  'the type of a method that every object has': { type: 'toString' },
  null: null,
  'a list': ['commit'],
  'a number': 7,
})) {
  test(`${name} is no message`, (t) => {
    t.is(reasonOf(encodeCanonical(data)), 'type-unknown');
  });
}

test('a message under the type of another is refused', (t) => {
  t.is(reasonOf(encodeWith(messages.commit, { type: 'closed' })), 'field-unknown');
  t.is(reasonOf(encodeWith(messages.closed, { type: 'commit' })), 'field-missing');
});

test('another version is refused', (t) => {
  t.is(reasonOf(encodeWith(messages.closed, { version: 2 })), 'version');
  t.is(reasonOf(encodeWith(messages.closed, { version: 0 })), 'version');
});

test('rounds count from 1', (t) => {
  t.is(reasonOf(encodeWith(messages.closed, { round: 0 })), 'round');
  t.is(reasonOf(encodeWith(messages.closed, { round: -1 })), 'field-kind');
});

test('a vote lists hashes in strictly ascending order', (t) => {
  const [low, high] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  t.is(reasonOf(encodeWith(messages.vote, { contributions: [low, high] })), 'accepted');
  t.is(reasonOf(encodeWith(messages.vote, { contributions: [] })), 'accepted');
  t.is(reasonOf(encodeWith(messages.vote, { contributions: [high, low] })), 'order');
  t.is(reasonOf(encodeWith(messages.vote, { contributions: [low, low] })), 'order');
});

test('a vote lists at most as many contributions as any manifest allows', (t) => {
  const list = (count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, index) => {
      const item = new Uint8Array(32);
      new DataView(item.buffer).setUint32(0, index);
      return item;
    });
  t.is(reasonOf(encodeWith(messages.vote, { contributions: list(maxContributionsBound) })), 'accepted');
  t.is(reasonOf(encodeWith(messages.vote, { contributions: list(maxContributionsBound + 1) })), 'field-kind');
});

test('a proposal rests on an earlier view than its own, or on none', (t) => {
  t.is(reasonOf(encodeWith(messages.proposal, { view: 0, validView: -1 })), 'accepted');
  t.is(reasonOf(encodeWith(messages.proposal, { view: 1, validView: 0 })), 'accepted');
  t.is(reasonOf(encodeWith(messages.proposal, { view: 1, validView: 1 })), 'valid-view');
  t.is(reasonOf(encodeWith(messages.proposal, { view: 1, validView: 2 })), 'valid-view');
  t.is(reasonOf(encodeWith(messages.proposal, { view: 1, validView: -2 })), 'field-kind');
});

test('a slot is the type, and with a view the type and the view', (t) => {
  const slots = Object.values(messages).map(computeSlot);
  t.deepEqual(slots, [
    ...['training', 'commit', 'closed', 'contribution', 'vote'],
    ...['proposal:2', 'prevote:2', 'precommit:2'],
  ]);
});

test('a message hash differs by type even for one payload', (t) => {
  const payload = encodeMessage(messages.prevote);
  t.not(computeMessageHash('prevote', payload), computeMessageHash('precommit', payload));
  // SHA-256 of the domain, a zero byte and 0x01, computed elsewhere.
  t.is(
    computeMessageHash('closed', Uint8Array.of(1)),
    '5bb5faf6b5c15cf59162aba158409a60bc02a4caa5441ccd08d2e9a37b9a0a85',
  );
});

test('the commitment binds network, round, key, salt and body, and nothing else', (t) => {
  const commitment = computeCommitment(contribution);
  for (const field of ['network', 'key', 'salt', 'body'] as const) {
    t.not(computeCommitment({ ...contribution, [field]: madeUp('another') }), commitment, field);
  }
  t.not(computeCommitment({ ...contribution, round: 4 }), commitment);
  t.is(computeCommitment({ ...contribution, tokens: 1 } as ContributionMessage), commitment);
});
