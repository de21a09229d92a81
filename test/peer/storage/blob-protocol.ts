import test from 'ava';
import {
  type BlobRequest,
  blobRequestBytes,
  decodeBlobRequest,
  decodeBlobResponse,
  encodeBlobRequest,
  encodeBlobResponse,
} from '../../../src/peer/storage/blob-protocol.ts';

const root = '0123456789abcdef'.repeat(4);

test('requests come back as they were', (t) => {
  const requests: BlobRequest[] = [
    { root, kind: 'leaf-hashes' },
    { root, kind: 'leaves', first: 32_767, count: 4 },
  ];
  for (const request of requests) {
    const bytes = encodeBlobRequest(request);
    t.is(bytes.length, blobRequestBytes);
    t.deepEqual(decodeBlobRequest(bytes), { outcome: 'accept', value: request });
  }
});

test('every other byte string is refused with a reason', (t) => {
  const good = encodeBlobRequest({ root, kind: 'leaves', first: 1, count: 2 });
  const spoil = (offset: number, value: number): Uint8Array => {
    const bytes = Uint8Array.from(good);
    bytes[offset] = value;
    return bytes;
  };
  const cases: [string, Uint8Array][] = [
    ['length', good.subarray(1)],
    ['length', new Uint8Array(40)],
    ['kind', spoil(32, 2)],
    ['range', spoil(32, 0)],
    ['range', spoil(38, 0)],
    ['range', spoil(38, 5)],
    ['range', spoil(37, 1)],
    ['range', spoil(33, 1)],
  ];
  for (const [reason, bytes] of cases) {
    const result = decodeBlobRequest(bytes);
    t.is(result.outcome === 'reject' ? result.reason : 'accepted', reason);
  }
});

test('responses come back as they were, and nothing else is one', (t) => {
  const held = Uint8Array.of(5, 6);
  t.deepEqual(decodeBlobResponse(encodeBlobResponse(held)), { outcome: 'accept', value: held });
  t.deepEqual(decodeBlobResponse(encodeBlobResponse(null)), { outcome: 'accept', value: null });
  for (const bytes of [[], [1, 0], [2]]) t.is(decodeBlobResponse(Uint8Array.from(bytes)).outcome, 'reject');
});
