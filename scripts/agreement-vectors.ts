/** Makes the vectors of messages, values, certificates, elections and signatures, for `make-vectors.ts`. */
import { encodeCertificate } from '../src/protocol/certificate.ts';
import { advanceChain, type ChainState, createChainState } from '../src/protocol/chain.ts';
import { encodeCanonical } from '../src/protocol/codec.ts';
import { computeContributions, computeTally, computeValue } from '../src/protocol/compute-value.ts';
import { computeProposer, computeProposerRanks } from '../src/protocol/election.ts';
import { signMessage } from '../src/protocol/envelope.ts';
import { computeHash } from '../src/protocol/hash.ts';
import { fromHex, toHex } from '../src/protocol/hex.ts';
import {
  type ContributionMessage,
  computeCommitment,
  computeSlot,
  encodeMessage,
  messageFields,
  type VoteMessage,
} from '../src/protocol/messages.ts';
import { computeFaultBound, computeQuorum } from '../src/protocol/quorum.ts';
import { encodeRecord } from '../src/protocol/record.ts';
import { createSigner } from '../src/protocol/signature.ts';
import { computeValueHash, encodeValue, type PrecommitSignature, type Value } from '../src/protocol/value.ts';
import { type BeaconVector, computeBeacons, type RanksVector } from '../test/helpers/vectors/election.ts';
import {
  type MessageJson,
  type MessageRejectVector,
  type MessageVector,
  parseMessage,
} from '../test/helpers/vectors/messages.ts';
import {
  type CertificateRejectVector,
  parseRules,
  type RulesJson,
  type ValueVector,
} from '../test/helpers/vectors/values.ts';

/** 32 bytes of a name, hex. */
const named = (name: string): string => toHex(computeHash('tapestry/vector', new TextEncoder().encode(name)));
const seedOf = (index: number): string => named(`seed ${index}`);
const signerOf = (index: number) => createSigner(fromHex(seedOf(index)));
const keyOf = (index: number): string => toHex(signerOf(index).publicKey);
const network = named('network');
const header = { version: 1, network, round: 7, key: keyOf(0) } as const;

const messages: readonly MessageJson[] = [
  { type: 'training', ...header },
  { type: 'commit', ...header, commitment: named('commitment'), workRoot: named('work root') },
  { type: 'closed', ...header },
  {
    type: 'contribution',
    ...header,
    base: named('base'),
    body: named('body'),
    salt: named('salt'),
    innerSteps: 30,
    tokens: 122_880,
    device: 'cpu',
  },
  { type: 'vote', ...header, contributions: [] },
  { type: 'vote', ...header, contributions: [named('a'), named('b'), named('c')].sort() },
  { type: 'proposal', ...header, view: 0, validView: -1, value: '' },
  { type: 'proposal', ...header, view: 24, validView: 23, value: 'a0' },
  { type: 'prevote', ...header, view: 0, value: named('value') },
  { type: 'prevote', ...header, view: 300, value: null },
  { type: 'precommit', ...header, view: 0, value: named('value') },
  { type: 'precommit', ...header, view: 65_536, value: null },
  { type: 'closed', ...header, round: Number.MAX_SAFE_INTEGER },
  {
    type: 'contribution',
    ...header,
    base: named('base'),
    body: named('body'),
    salt: named('salt'),
    innerSteps: 1,
    tokens: 0,
    device: 'cuda',
  },
];

/** Messages of every type, signed. */
export function makeMessageVectors(): MessageVector[] {
  return messages.map((json) => {
    const message = parseMessage(json);
    const { hash, signature, envelope } = signMessage(message, signerOf(0));
    const view = 'view' in message ? `, view ${message.view}` : '';
    const vote = message.type === 'vote' ? `, ${message.contributions.length} listed` : '';
    const value = 'value' in message && message.value === null ? ', nil' : '';
    const round = message.round === header.round ? '' : ', the last round';
    const device = message.type === 'contribution' ? `, ${message.device}` : '';
    return {
      name: `${message.type}${vote}${view}${value}${round}${device}`,
      seed: seedOf(0),
      message: json,
      slot: computeSlot(message),
      ...(message.type === 'contribution' ? { commitment: computeCommitment(message) } : {}),
      payload: toHex(encodeMessage(message)),
      hash,
      signature,
      envelope: toHex(envelope),
    };
  });
}

/** Envelopes that each break one rule, with good signatures where the rule is not about them. */
export function makeMessageRejectVectors(): MessageRejectVector[] {
  const prevote = messages[8]!;
  const wire = (json: MessageJson, changes: object = {}): Record<string, unknown> => ({
    ...encodeRecord(messageFields[json.type], parseMessage(json)),
    ...changes,
  });
  const seal = (payload: Uint8Array, type = 'prevote'): Uint8Array => {
    const signature = signerOf(0).sign(computeHash(`tapestry/${type}/v1`, payload));
    return encodeCanonical({ payload, signature });
  };
  const make = (name: string, reason: string, envelope: Uint8Array): MessageRejectVector => ({
    name,
    network,
    envelope: toHex(envelope),
    reason,
  });
  const withChange = (name: string, reason: string, changes: object, json = prevote): MessageRejectVector =>
    make(name, reason, seal(encodeCanonical(wire(json, changes)), json.type));
  const without = ({ view: _, ...rest }: Record<string, unknown>): Record<string, unknown> => rest;
  const good = encodeCanonical(wire(prevote));
  const [high, low] = [new Uint8Array(32).fill(2), new Uint8Array(32).fill(1)];
  // The first key of the map, "key" under its header 0x63, with a header of two bytes instead.
  const long = Uint8Array.of(good[0]!, 0x78, 0x03, ...good.subarray(2));
  return [
    make('no bytes', 'not-cbor', new Uint8Array(0)),
    make('a byte after the envelope', 'not-cbor', Uint8Array.of(...seal(good), 0)),
    make('a payload with a longer header than needed', 'not-cbor', seal(long)),
    make('a payload with unsorted keys', 'not-canonical', seal(fromHex('a2616201616102'))),
    make('an envelope without a signature', 'field-missing', encodeCanonical({ payload: good })),
    make('a signature of 63 bytes', 'field-kind', encodeCanonical({ payload: good, signature: new Uint8Array(63) })),
    withChange('an unknown type', 'type-unknown', { type: 'promise' }),
    withChange('another version', 'version', { version: 2 }),
    withChange('round 0', 'round', { round: 0 }),
    withChange('a float for a round', 'field-kind', { round: 1.5 }),
    withChange('a view below 0', 'field-kind', { view: -1 }),
    withChange('a field too many', 'field-unknown', { weight: 1 }),
    make('a field too few', 'field-missing', seal(encodeCanonical(without(wire(prevote))))),
    withChange('a hash of 31 bytes', 'field-kind', { value: new Uint8Array(31) }),
    withChange('a hash as text', 'field-kind', { value: named('value') }),
    withChange('a device that is none of the two', 'field-kind', { device: 'tpu' }, messages[3]),
    withChange('a vote in falling order', 'order', { contributions: [high, low] }, messages[5]),
    withChange('a vote that lists twice', 'order', { contributions: [low, low] }, messages[5]),
    withChange('a proposal that rests on its own view', 'valid-view', { validView: 24 }, messages[7]),
    withChange('another network', 'network', { network: fromHex(named('another network')) }),
    make('a signature in the domain of another type', 'signature', seal(good, 'precommit')),
    make(
      'a signature over the payload itself',
      'signature',
      encodeCanonical({ payload: good, signature: signerOf(0).sign(computeHash('', good)) }),
    ),
    withChange('a signature by another key', 'signature', { key: fromHex(keyOf(1)) }),
  ];
}

const rulesOf = (voters: number): RulesJson => ({
  network,
  voters: Array.from({ length: voters }, (_, index) => ({ member: `member-${index}`, key: keyOf(index) })),
  openSharePermille: 250,
  minTrainDeadlineMs: 5000,
  maxTrainDeadlineMs: 600_000,
  memory: 8,
  maxContributions: 8,
});

const genesisOf = (rules: RulesJson): ChainState => ({
  ...createChainState(parseRules(rules), named('base 1')),
  trainDeadlineMs: 60_000,
});

interface RoundInit {
  readonly name: string;
  readonly rules: RulesJson;
  readonly state: ChainState;
  /** names of the contributions that each vote of the evidence lists, by voter */
  readonly votes: Readonly<Record<number, readonly string[]>>;
  /** signer of each contribution, as an index; those above the voters are trainers */
  readonly signers: Readonly<Record<string, number>>;
  readonly quoted?: { readonly precommitView: number; readonly precommits: readonly PrecommitSignature[] };
  readonly view?: number;
}

function signPrecommits(rules: RulesJson, round: number, view: number, value: string): PrecommitSignature[] {
  const quorum = computeQuorum(rules.voters.length);
  return Array.from({ length: quorum }, (_, voter) => {
    const message = { type: 'precommit', version: 1, network, round, key: keyOf(voter), view, value } as const;
    return { voter, signature: signMessage(message, signerOf(voter)).signature };
  });
}

function makeValueVector(init: RoundInit): ValueVector {
  const { name, rules: json, state, votes, signers, quoted = { precommitView: 0, precommits: [] }, view = 0 } = init;
  const rules = parseRules(json);
  const evidence = Object.entries(votes).map(([voter, names]) => ({
    voter: Number(voter),
    vote: named(`vote ${voter} of round ${state.round}`),
    contributions: names.map(named).sort(),
  }));
  const keys = Object.fromEntries(Object.entries(signers).map(([item, index]) => [named(item), keyOf(index)]));
  const tally = computeTally(evidence as unknown as VoteMessage[], rules.voters.length);
  const contributions = computeContributions(rules, tally, (hash) => ({ key: keys[hash] }) as ContributionMessage);
  const links = evidence.map(({ voter, vote }) => ({ voter, vote }));
  const next = named(`base ${state.round + 1}`);
  const value = computeValue(rules, state, { evidence: links, contributions, ...quoted }, next);
  const bytes = encodeValue(value);
  const hash = computeValueHash(bytes);
  const precommits = signPrecommits(json, state.round, view, hash);
  const certificate = toHex(encodeCertificate({ version: 1, value: bytes, view, precommits }));
  const after = advanceChain(rules, state, value, hash);
  return { name, rules: json, state, evidence, keys, ...quoted, next, value: toHex(bytes), hash, certificate, after };
}

/** Rounds of one, three and four voters, two of them in a row. */
export function makeValueVectors(): ValueVector[] {
  const [one, three, four] = [rulesOf(1), rulesOf(3), rulesOf(4)];
  const all = ['a', 'b', 'c', 'd'];
  const signers = { a: 0, b: 1, c: 2, d: 3 };
  const first = makeValueVector({
    name: 'four voters, all included',
    rules: four,
    state: genesisOf(four),
    votes: { 0: all, 1: all, 3: all },
    signers,
  });
  const quoted = { precommitView: 0, precommits: signPrecommits(four, 1, 0, first.hash) };
  const second = (name: string, votes: RoundInit['votes'], rest: Partial<RoundInit> = {}): ValueVector =>
    makeValueVector({ name, rules: four, state: first.after, votes, signers, quoted, view: 2, ...rest });
  const mixed = { a: 0, a2: 0, b: 1, t: 9, u: 10 };
  return [
    makeValueVector({ name: 'a lone founder', rules: one, state: genesisOf(one), votes: { 0: ['a'] }, signers }),
    makeValueVector({
      name: 'three voters: one listing is enough',
      rules: three,
      state: genesisOf(three),
      votes: { 0: ['a'], 2: ['b'] },
      signers,
    }),
    first,
    second('round 2 quotes the precommits of round 1; one is listed by too few', {
      0: all,
      1: ['a', 'b'],
      2: ['b', 'c'],
    }),
    second('nobody is included: the deadline doubles', { 0: [], 1: [], 2: [] }),
    second(
      'a key that contributed twice, and trainers over the open share',
      {
        0: ['a', 'a2', 'b', 't', 'u'],
        1: ['a', 'b', 't', 'u'],
        2: ['a2', 'b'],
      },
      { signers: mixed },
    ),
    second(
      'more than a value may name: members come first',
      { 0: [...all, 't', 'u', 'x'], 1: [...all, 't', 'u'], 2: all },
      {
        signers: { ...signers, t: 9, u: 10 },
        rules: { ...four, maxContributions: 5 },
      },
    ),
  ];
}

/** Certificates that each break one rule of round 2 of a chain. */
export function makeCertificateRejectVectors(): CertificateRejectVector[] {
  const [first, second] = makeValueVectors().slice(2, 4) as [ValueVector, ValueVector];
  const { rules, state } = second;
  const read = parseRules(rules);
  const good = computeValue(
    read,
    state,
    {
      evidence: second.evidence.map(({ voter, vote }) => ({ voter, vote })),
      contributions: [],
      precommitView: 0,
      precommits: second.precommits,
    },
    second.next,
  );
  const seal = (value: Value, change: (set: PrecommitSignature[]) => PrecommitSignature[] = (set) => set): string => {
    const bytes = encodeValue(value);
    const set = change(signPrecommits(rules, 2, 0, computeValueHash(bytes)));
    return toHex(encodeCertificate({ version: 1, value: bytes, view: 0, precommits: set }));
  };
  const make = (name: string, reason: string, certificate: string): CertificateRejectVector => ({
    name,
    rules,
    state,
    certificate,
    reason,
  });
  const wrong = named('wrong');
  const bytes = encodeValue(good);
  const otherView = encodeCertificate({
    ...{ version: 1, value: bytes, view: 1 },
    precommits: signPrecommits(rules, 2, 0, computeValueHash(bytes)),
  });
  return [
    make('the certificate of the round before', 'value-round', first.certificate),
    make('another network', 'value-network', seal({ ...good, network: wrong })),
    make('another value before it', 'value-previous', seal({ ...good, previous: wrong })),
    make('another base', 'value-base', seal({ ...good, base: wrong })),
    make('another beacon', 'value-beacon', seal({ ...good, beacon: wrong })),
    make('another state', 'value-state', seal({ ...good, state: wrong })),
    make(
      'two of four precommits',
      'quorum',
      seal(good, (set) => set.slice(1)),
    ),
    make(
      'precommits in falling order',
      'voters',
      seal(good, (set) => set.toReversed()),
    ),
    make(
      'one precommit twice',
      'voters',
      seal(good, (set) => [set[0]!, set[1]!, set[1]!]),
    ),
    make(
      'a precommit of voter 4 of 4',
      'voters',
      seal(good, ([a, b, c]) => [a!, b!, { ...c!, voter: 4 }]),
    ),
    make(
      'a precommit under another name',
      'signature',
      seal(good, ([a, b, c]) => [a!, b!, { ...c!, voter: 3 }]),
    ),
    make('precommits of another view', 'signature', toHex(otherView)),
    make('no precommits of round 1 inside', 'quorum', seal({ ...good, precommits: [] })),
    make('precommits of round 1 for another view', 'signature', seal({ ...good, precommitView: 1 })),
    make('a vote of voter 4 of 4', 'voters', seal({ ...good, evidence: [{ voter: 4, vote: wrong }] })),
  ];
}

/** Ranks for 1 to 7, 10, 13 and 128 voters, and a chain of beacons. */
export function makeElectionVectors(): (RanksVector | BeaconVector)[] {
  const ranks = [1, 2, 3, 4, 5, 6, 7, 10, 13, 128].map((count): RanksVector => {
    const members = Array.from({ length: count }, (_, index) => `member-${index}`);
    const beacon = named(`beacon ${count}`);
    const order = computeProposerRanks(
      members.map((member) => ({ member, key: '' })),
      beacon,
    );
    return {
      name: count === 1 ? '1 voter' : `${count} voters`,
      beacon,
      members,
      faultBound: computeFaultBound(count),
      quorum: computeQuorum(count),
      ranks: order.map((index) => members[index]!),
      proposerOfView1000: members[computeProposer(order, 1000)]!,
    };
  });
  const values = ['value 1', 'value 2', 'value 3'].map(named);
  return [...ranks, { name: 'beacons of rounds 0 to 4', network, values, beacons: computeBeacons(network, values) }];
}
