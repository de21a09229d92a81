/** The bytes of a round's snapshot: this peer's own note to itself, read back after a restart. spec/round.md#durability */
import { decodeRecordBytes, encodeRecordBytes, type RecordFields } from '../protocol/record.ts';
import type { AgreementState } from '../protocol/round/agreement.ts';
import type { RoundSnapshot } from '../protocol/round/round-types.ts';
import { maxValueBytes } from '../protocol/value.ts';

const fields: RecordFields = {
  view: { kind: 'view-or-none' },
  step: { kind: 'text', oneOf: ['propose', 'prevote', 'precommit'] },
  lockedView: { kind: 'view-or-none' },
  lockedValue: { kind: 'hash-or-null' },
  validView: { kind: 'view-or-none' },
  validValue: { kind: 'hash-or-null' },
  values: { kind: 'byte-strings', maxItems: 2, maxBytes: maxValueBytes },
  acceptedCommits: { kind: 'hashes', maxItems: 4096 },
};

/** Bytes for the store. */
export function encodeSnapshot(snapshot: RoundSnapshot): Uint8Array {
  const { agreement, values, acceptedCommits } = snapshot;
  return encodeRecordBytes(fields, { ...agreement, values, acceptedCommits });
}

/** Reads what `encodeSnapshot` wrote; null if it cannot be read. */
export function decodeSnapshot(bytes: Uint8Array): RoundSnapshot | null {
  const record = decodeRecordBytes(fields, bytes, 4 * maxValueBytes);
  if (record.outcome !== 'accept') {
    return null;
  }
  const { values, acceptedCommits, ...agreement } = record.value as unknown as AgreementState &
    Pick<RoundSnapshot, 'values' | 'acceptedCommits'>;
  return { agreement, values, acceptedCommits };
}
