/**
 * Ed25519 signatures over 32-byte digests, behind two interfaces with two implementations each: tweetnacl as the
 * reference, `node:crypto` for speed. Both answer alike for every input, because both ask the same questions first:
 *
 *   1. the key has 32 bytes, the signature 64;
 *   2. S < L, so that a signature cannot be turned into a second one (tweetnacl alone would take S + L);
 *   3. the key is the canonical encoding of a point (y < p) and not one of the eight points of small order, under
 *      which a signature could fit every message.
 *
 * A signature is never an id: Ed25519 signers can make many for one message. spec/wire-formats.md#signatures
 *
 * L = order of the base point, p = 2^255 − 19, S = second half of a signature
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import nacl from 'tweetnacl';
import { toHex } from './hex.ts';

/** Signs digests with one key. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** @param digest 32 bytes @returns 64 bytes @throws {RangeError} if the digest has another length */
  sign(digest: Uint8Array): Uint8Array;
}

/** Checks signatures. Keys and signatures come from others: wrong ones give false, whatever their length. */
export interface Verifier {
  /** @param digest 32 bytes @throws {RangeError} if the digest has another length: that is our own fault */
  verify(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean;
}

const keyBytes = 32;
const signatureBytes = 64;
const digestBytes = 32;

/** L = 2^252 + 27742317777372353535851937790883648493 */
const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;
const fieldOrder = 2n ** 255n - 19n;

/** The y coordinates of the eight points whose order divides 8; each but 1 and p − 1 belongs to two of them. */
const smallOrderY: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  fieldOrder - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]);

/** DER headers of an Ed25519 private key (PKCS #8) and public key (SPKI), RFC 8410; the 32 bytes follow. */
const privateKeyHeader = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicKeyHeader = Buffer.from('302a300506032b6570032100', 'hex');

/** Keys that the fast verifier keeps ready; the one unused for longest goes first. */
const keysKept = 1024;

function checkDigest(digest: Uint8Array): void {
  if (digest.length !== digestBytes)
    throw new RangeError(`digest: ${digestBytes} bytes expected, ${digest.length} found`);
}

function checkSeed(seed: Uint8Array): void {
  if (seed.length !== keyBytes) throw new RangeError(`seed: ${keyBytes} bytes expected, ${seed.length} found`);
}

function decodeLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);
}

/** Whether 32 bytes are a key that may sign: the canonical encoding of a y that is not of small order. */
export function isAcceptableKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== keyBytes) return false;
  const encoded = Uint8Array.from(publicKey);
  encoded[31]! &= 0x7f; // the sign of x
  const y = decodeLittleEndian(encoded);
  return y < fieldOrder && !smallOrderY.has(y);
}

/** Whether 64 bytes can be a signature: S < L. */
export function isAcceptableSignature(signature: Uint8Array): boolean {
  return signature.length === signatureBytes && decodeLittleEndian(signature.subarray(32)) < groupOrder;
}

/** The reference signer: tweetnacl. @param seed 32 bytes @throws {RangeError} if it has another length */
export function createSigner(seed: Uint8Array): Signer {
  checkSeed(seed);
  const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed);
  return {
    publicKey,
    sign: (digest) => {
      checkDigest(digest);
      return nacl.sign.detached(digest, secretKey);
    },
  };
}

/** The fast signer: `node:crypto`, with the bytes of the reference. @throws {RangeError} as `createSigner` */
export function createFastSigner(seed: Uint8Array): Signer {
  checkSeed(seed);
  const privateKey = createPrivateKey({ key: Buffer.concat([privateKeyHeader, seed]), format: 'der', type: 'pkcs8' });
  const encoded = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    publicKey: new Uint8Array(encoded.subarray(publicKeyHeader.length)),
    sign: (digest) => {
      checkDigest(digest);
      return new Uint8Array(sign(null, digest, privateKey));
    },
  };
}

/** The reference verifier: tweetnacl, some 100 times slower. */
export const referenceVerifier: Verifier = {
  verify: (publicKey, digest, signature) => {
    checkDigest(digest);
    if (!isAcceptableKey(publicKey) || !isAcceptableSignature(signature)) return false;
    return nacl.sign.detached.verify(digest, signature, publicKey);
  },
};

/** Makes a fast verifier: `node:crypto`, with the last keys it has seen kept ready. */
export function createFastVerifier(): Verifier {
  /** Null marks a key that no signature is taken from. */
  const keys = new Map<string, KeyObject | null>();
  const getKey = (publicKey: Uint8Array): KeyObject | null => {
    const id = toHex(publicKey);
    let key = keys.get(id);
    if (key === undefined) key = isAcceptableKey(publicKey) ? importKey(publicKey) : null;
    keys.delete(id);
    keys.set(id, key);
    const [oldest] = keys.keys();
    if (keys.size > keysKept && oldest !== undefined) keys.delete(oldest);
    return key;
  };
  return {
    verify: (publicKey, digest, signature) => {
      checkDigest(digest);
      if (publicKey.length !== keyBytes || !isAcceptableSignature(signature)) return false;
      const key = getKey(publicKey);
      return key !== null && verify(null, digest, key, signature);
    },
  };
}

function importKey(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([publicKeyHeader, publicKey]), format: 'der', type: 'spki' });
}
