import test, { type ExecutionContext } from 'ava';
import { fetchManifest, manifestProtocol } from '../../src/peer/fetch-manifest.ts';
import { TapestryError } from '../../src/protocol/errors.ts';
import { toHex } from '../../src/protocol/hex.ts';
import { computeNetworkId, encodeManifest, maxManifestBytes } from '../../src/protocol/manifest-canonical.ts';
import { createExampleManifest } from '../helpers/example-manifest.ts';
import { startPeer, type TestPeer } from './network/helpers/networks.ts';

const manifest = createExampleManifest(3);
const networkId = toHex(computeNetworkId(manifest));
const seed = new Uint8Array(32).fill(200);
const nowhere = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2';

/** A peer of the network that answers with these bytes. */
async function serve(t: ExecutionContext, index: number, bytes: Uint8Array): Promise<TestPeer> {
  const peer = await startPeer(t, index, { networkId });
  peer.network.handle(manifestProtocol, async () => bytes, { maxRequestBytes: 16 });
  return peer;
}

test('gets the manifest from a peer of the link', async (t) => {
  const peer = await serve(t, 0, encodeManifest(manifest));
  t.deepEqual(await fetchManifest({ seed, networkId, addresses: [peer.address] }), manifest);
});

test('passes over who is not there, who gives another manifest and who gives something else', async (t) => {
  const other = encodeManifest({ ...manifest, name: 'other' });
  const [liar, fool, good] = await Promise.all([
    serve(t, 1, other),
    serve(t, 2, new Uint8Array(9)),
    serve(t, 3, encodeManifest(manifest)),
  ]);
  const addresses = [nowhere, liar.address, fool.address, good.address];
  t.deepEqual(await fetchManifest({ seed, networkId, addresses }), manifest);
});

test('says what each address answered when none gives it', async (t) => {
  const [liar, boaster] = await Promise.all([
    serve(t, 4, encodeManifest({ ...manifest, name: 'other' })),
    serve(t, 5, new Uint8Array(maxManifestBytes + 1)),
  ]);
  const addresses = [nowhere, liar.address, boaster.address];
  const error = await t.throwsAsync(fetchManifest({ seed, networkId, addresses }), { instanceOf: TapestryError });
  t.is(error.code, 'manifest-unavailable');
  for (const address of addresses) t.true(error.message.includes(`${address}: `), error.message);
  t.true(error.message.includes(`${liar.address}: it gave another manifest`));
  t.deepEqual(error.facts, { network: networkId });
});

test('a peer of another network is not asked', async (t) => {
  const peer = await startPeer(t, 6, {});
  peer.network.handle(manifestProtocol, async () => encodeManifest(manifest), { maxRequestBytes: 16 });
  const error = await t.throwsAsync(fetchManifest({ seed, networkId, addresses: [peer.address] }));
  t.is((error as TapestryError).code, 'manifest-unavailable');
});

test('ends when it is told to', async (t) => {
  const controller = new AbortController();
  const peer = await startPeer(t, 7, { networkId });
  peer.network.handle(
    manifestProtocol,
    async () => {
      controller.abort(new Error('enough'));
      return encodeManifest(manifest);
    },
    { maxRequestBytes: 16 },
  );
  const { signal } = controller;
  const addresses = [peer.address, nowhere];
  await t.throwsAsync(fetchManifest({ seed, networkId, addresses, signal }), { message: 'enough' });
});
