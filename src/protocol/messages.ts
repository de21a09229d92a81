/**
 * The signed messages of a round: what each holds, how it becomes bytes, and which slot it fills. A voter or trainer
 * fills a slot once: two different messages of one key in one slot are equivocation and prove themselves.
 * Hashes and keys are hex here and bytes on the wire. spec/wire-formats.md#messages
 */
import { decodeCanonical } from './codec.ts';
import { computeHash } from './hash.ts';
import { fromHex, toHex } from './hex.ts';
import { accept, type Checked, reject } from './outcome.ts';
import { decodeRecord, encodeRecordBytes, type FieldKind, type RecordFields } from './record.ts';

/** Hard cap of a signed envelope on the wire, bytes. */
export const maxEnvelopeBytes = 65_536;

/**
 * Most contributions a vote or value may name: with 128 voters a value of this many still fits into an envelope. The
 * manifest's `round.maxContributions` is at most this.
 */
export const maxContributionsBound = 376;

/** What a trainer says it trained on; nobody can check it. */
export type DeviceKind = 'cpu' | 'cuda';

interface Header {
  readonly version: 1;
  /** network id */
  readonly network: string;
  /** round, from 1 */
  readonly round: number;
  /** public key of the signer */
  readonly key: string;
}

/** A trainer that is no voter says that it trains this round, so that it is given some grace. spec/round.md#commit */
export interface TrainingMessage extends Header {
  readonly type: 'training';
}

/** Promises a body without showing it: H(network, round, key, salt, body root). spec/round.md#commit */
export interface CommitMessage extends Header {
  readonly type: 'commit';
  readonly commitment: string;
  readonly workRoot: string;
}

/** A voter says that it takes no further commit. spec/round.md#commit */
export interface ClosedMessage extends Header {
  readonly type: 'closed';
}

/** The contribution: opens the commit and names the body. spec/round.md#reveal */
export interface ContributionMessage extends Header {
  readonly type: 'contribution';
  readonly base: string;
  readonly body: string;
  readonly salt: string;
  readonly innerSteps: number;
  readonly tokens: number;
  readonly device: DeviceKind;
}

/** What a voter holds and found statically valid: message hashes, ascending. spec/round.md#vote */
export interface VoteMessage extends Header {
  readonly type: 'vote';
  readonly contributions: readonly string[];
}

/** A value put forward in a view, with the view of the prevote quorum it rests on, or −1. spec/agreement.md */
export interface ProposalMessage extends Header {
  readonly type: 'proposal';
  readonly view: number;
  readonly validView: number;
  readonly value: Uint8Array;
}

/** First vote on a value hash, or nil. spec/agreement.md */
export interface PrevoteMessage extends Header {
  readonly type: 'prevote';
  readonly view: number;
  readonly value: string | null;
}

/** Second vote on a value hash, or nil; a quorum of them is the certificate. spec/agreement.md */
export interface PrecommitMessage extends Header {
  readonly type: 'precommit';
  readonly view: number;
  readonly value: string | null;
}

/** Any signed message. */
export type Message =
  | TrainingMessage
  | CommitMessage
  | ClosedMessage
  | ContributionMessage
  | VoteMessage
  | ProposalMessage
  | PrevoteMessage
  | PrecommitMessage;

/** The name of a message type. */
export type MessageType = Message['type'];

const hash: FieldKind = { kind: 'hash' };
const uint: FieldKind = { kind: 'uint' };
/** The kinds of device, as a record's field. */
export const deviceKind: FieldKind = { kind: 'text', oneOf: ['cpu', 'cuda'] satisfies DeviceKind[] };
const header = { version: uint, network: hash, round: uint, key: hash };
const typed = (type: MessageType): RecordFields => ({ type: { kind: 'text', oneOf: [type] }, ...header });

/** The fields of every message on the wire. */
export const messageFields: Readonly<Record<MessageType, RecordFields>> = {
  training: typed('training'),
  commit: { ...typed('commit'), commitment: hash, workRoot: hash },
  closed: typed('closed'),
  contribution: {
    ...typed('contribution'),
    base: hash,
    body: hash,
    salt: hash,
    innerSteps: uint,
    tokens: uint,
    device: deviceKind,
  },
  vote: { ...typed('vote'), contributions: { kind: 'hashes', maxItems: maxContributionsBound } },
  proposal: {
    ...typed('proposal'),
    view: uint,
    validView: { kind: 'view-or-none' },
    value: { kind: 'bytes', maxBytes: maxEnvelopeBytes },
  },
  prevote: { ...typed('prevote'), view: uint, value: { kind: 'hash-or-null' } },
  precommit: { ...typed('precommit'), view: uint, value: { kind: 'hash-or-null' } },
};

/** Canonical payload bytes of a message. */
export function encodeMessage(message: Message): Uint8Array {
  return encodeRecordBytes(messageFields[message.type], message);
}

/**
 * What is signed and what names the message: SHA-256 over its type, version and payload. Never the signature, which its
 * signer could vary. spec/wire-formats.md#hashes
 */
export function computeMessageHash(type: MessageType, payload: Uint8Array): string {
  return toHex(computeHash(`tapestry/${type}/v1`, payload));
}

function isAscending(hashes: readonly string[]): boolean {
  return hashes.every((item, index) => index === 0 || hashes[index - 1]! < item);
}

/**
 * Reads payload bytes strictly.
 * @returns the message, or a rejection: those of `decodeCanonical` and `decodeRecord`, and `type-unknown`, `version`,
 * `round`, `order` (hashes not strictly ascending), `valid-view`
 */
export function decodeMessage(payload: Uint8Array): Checked<Message> {
  const data = decodeCanonical(payload, maxEnvelopeBytes);
  if (data.outcome !== 'accept') {
    return data;
  }
  const type = (data.value as { type?: unknown } | null)?.type;
  if (typeof type !== 'string' || !Object.hasOwn(messageFields, type)) {
    return reject('type-unknown');
  }
  const record = decodeRecord(messageFields[type as MessageType], data.value);
  if (record.outcome !== 'accept') {
    return record;
  }
  const message = record.value as unknown as Message;
  if (message.version !== 1) {
    return reject('version', { expected: 1, actual: message.version });
  }
  if (message.round < 1) {
    return reject('round', { expected: 1, actual: message.round });
  }
  if (message.type === 'vote' && !isAscending(message.contributions)) {
    return reject('order', { field: 'contributions' });
  }
  if (message.type === 'proposal' && message.validView >= message.view) {
    return reject('valid-view', { view: message.view, validView: message.validView });
  }
  return accept(message);
}

/** The slot a message fills: one message per (network, round, key, slot). */
export function computeSlot(message: Message): string {
  return 'view' in message ? `${message.type}:${message.view}` : message.type;
}

/** The commitment of a commit: H(network, round, key, salt, body root). spec/round.md#commit */
export function computeCommitment(
  contribution: Pick<ContributionMessage, 'network' | 'round' | 'key' | 'salt' | 'body'>,
): string {
  const round = new Uint8Array(8);
  new DataView(round.buffer).setBigUint64(0, BigInt(contribution.round));
  const { network, key, salt, body } = contribution;
  return toHex(
    computeHash('tapestry/commitment/v1', fromHex(network), round, fromHex(key), fromHex(salt), fromHex(body)),
  );
}
