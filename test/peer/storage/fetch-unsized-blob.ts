import test, { type ExecutionContext } from 'ava';
import { BlobExchange } from '../../../src/peer/storage/blob-exchange.ts';
import { decodeBlobRequest, encodeBlobResponse } from '../../../src/peer/storage/blob-protocol.ts';
import { BlobStore } from '../../../src/peer/storage/blob-store.ts';
import { fetchUnsizedBlob } from '../../../src/peer/storage/fetch-unsized-blob.ts';
import { TapestryError } from '../../../src/protocol/errors.ts';
import { toHex } from '../../../src/protocol/hex.ts';
import { computeLeafHashes, computeMerkleRoot, leafLength } from '../../../src/protocol/merkle.ts';
import { MemoryHub } from '../../helpers/memory-network.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

const maxBytes = 16 * leafLength;
const makeBytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 31 + 7) % 251);

async function createServer(t: ExecutionContext): Promise<{ hub: MemoryHub; blobs: BlobStore }> {
  const hub = new MemoryHub();
  const blobs = new BlobStore(await makeTemporaryFolder(t));
  new BlobExchange({ network: hub.join('other'), blobs });
  return { hub, blobs };
}

for (const length of [0, 1, leafLength - 1, leafLength, 4 * leafLength, 4 * leafLength + 1, 9 * leafLength + 77]) {
  test(`fetches ${length} bytes without being told how many`, async (t) => {
    const { hub, blobs } = await createServer(t);
    const root = await blobs.put(makeBytes(length));
    const bytes = await fetchUnsizedBlob(root, { network: hub.join('self'), peer: 'other', maxBytes });
    t.true(Buffer.from(makeBytes(length)).equals(bytes!));
  });
}

test('a blob that is not held is null', async (t) => {
  const { hub } = await createServer(t);
  t.is(await fetchUnsizedBlob('ab'.repeat(32), { network: hub.join('self'), peer: 'other', maxBytes }), null);
});

test('a blob that is too large is refused before its leaves are asked for', async (t) => {
  const { hub, blobs } = await createServer(t);
  const root = await blobs.put(makeBytes(3 * leafLength));
  const self = hub.join('self');
  await t.throwsAsync(fetchUnsizedBlob(root, { network: self, peer: 'other', maxBytes: 2 * leafLength }));
  t.is(self.asked.length, 1);
  const within = fetchUnsizedBlob(root, { network: self, peer: 'other', maxBytes: 3 * leafLength - 1 });
  await t.throwsAsync(within, { instanceOf: TapestryError }, 'a last leaf that is too long');
});

const good = makeBytes(2 * leafLength + 5);
const hashes = computeLeafHashes(good);
const join = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

const lies: Record<string, { list?: Uint8Array; leaves?: Uint8Array }> = {
  'no hashes': { list: new Uint8Array() },
  'half a hash': { list: join([...hashes, new Uint8Array(16)]) },
  'hashes of something else': { list: join(computeLeafHashes(makeBytes(7))) },
  'the nodes above the leaves': { list: join([computeMerkleRoot(good.subarray(0, 2 * leafLength)), hashes[2]!]) },
  'a wrong byte': { leaves: good.map((byte, at) => (at === 9 ? byte ^ 1 : byte)) },
  'a byte less': { leaves: good.subarray(0, -1) },
  'a byte more': { leaves: join([good, new Uint8Array(1)]) },
  'a leaf less': { leaves: good.subarray(0, 2 * leafLength) },
};

for (const [name, { list = join(hashes), leaves = good }] of Object.entries(lies)) {
  test(`a peer that sends ${name} is not believed`, async (t) => {
    const hub = new MemoryHub();
    hub.join('other').handle('blob', async (request) => {
      const decoded = decodeBlobRequest(request);
      if (decoded.outcome !== 'accept') throw new Error(decoded.outcome);
      return encodeBlobResponse(decoded.value.kind === 'leaf-hashes' ? list : leaves);
    });
    const root = toHex(computeMerkleRoot(good));
    const error = await t.throwsAsync(fetchUnsizedBlob(root, { network: hub.join('self'), peer: 'other', maxBytes }), {
      instanceOf: TapestryError,
    });
    t.is(error.code, 'blob-unavailable');
    t.true(error.message.includes('other'));
  });
}
