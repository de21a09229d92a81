import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKeyPairFromSeed, privateKeyFromRaw } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import test from 'ava';
import nacl from 'tweetnacl';
import { createIdentity, loadIdentity } from '../../src/peer/identity.ts';
import { TapestryError } from '../../src/protocol/errors.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

const seed = Uint8Array.from({ length: 32 }, (_, index) => index * 7);

test('one seed is one identity: PeerId, tweetnacl and libp2p hold the same key', async (t) => {
  const identity = createIdentity(seed);
  const pair = nacl.sign.keyPair.fromSeed(seed);
  t.deepEqual(identity.publicKey, pair.publicKey);
  t.is(identity.peerId, peerIdFromPrivateKey(privateKeyFromRaw(pair.secretKey)).toString());
  t.is(identity.peerId, peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString());
  t.deepEqual(peerIdFromString(identity.peerId).publicKey?.raw, pair.publicKey);
});

test('makes a seed file that only its owner may read, and finds it again', async (t) => {
  const folder = join(await makeTemporaryFolder(t), 'home');
  const path = join(folder, 'identity.seed');
  const made = loadIdentity(path);
  t.is(made.seed.length, 32);
  t.deepEqual(new Uint8Array(readFileSync(path)), made.seed);
  if (process.platform !== 'win32') t.is(statSync(path).mode & 0o777, 0o600);
  t.deepEqual(loadIdentity(path), made);
  t.deepEqual(readdirSync(folder), ['identity.seed'], 'nothing is left of the making');
  t.not(loadIdentity(join(folder, 'other.seed')).peerId, made.peerId);
});

test('makes none where none is asked for', async (t) => {
  const path = join(await makeTemporaryFolder(t), 'identity.seed');
  const error = t.throws(() => loadIdentity(path, { create: false }), { instanceOf: TapestryError });
  t.is(error.code, 'identity-missing');
  t.is(statSync(path, { throwIfNoEntry: false }), undefined);
});

test('a file of another length is no seed and stays as it is', async (t) => {
  const path = join(await makeTemporaryFolder(t), 'identity.seed');
  writeFileSync(path, new Uint8Array(31), { mode: 0o600 });
  const error = t.throws(() => loadIdentity(path), { instanceOf: TapestryError });
  t.is(error.code, 'identity-invalid');
  t.regex(error.message, /32 bytes expected, 31 bytes found/);
  t.is(readFileSync(path).length, 31);
});

test('a seed that others can read is not used', async (t) => {
  if (process.platform === 'win32') return t.pass();
  const path = join(await makeTemporaryFolder(t), 'identity.seed');
  writeFileSync(path, seed);
  chmodSync(path, 0o640);
  const error = t.throws(() => loadIdentity(path), { instanceOf: TapestryError });
  t.is(error.code, 'identity-exposed');
  t.true(error.remedy.includes(`chmod 600 ${path}`));
  chmodSync(path, 0o600);
  t.deepEqual(loadIdentity(path).seed, seed);
});

test('a folder that cannot be made is said so', async (t) => {
  const folder = await makeTemporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  const error = t.throws(() => loadIdentity(join(folder, 'file', 'identity.seed')));
  t.is((error as TapestryError).code, 'folder-unwritable');
  mkdirSync(join(folder, 'directory.seed'));
  t.is((t.throws(() => loadIdentity(join(folder, 'directory.seed'))) as TapestryError).code, 'identity-invalid');
});
