import { createHash } from 'node:crypto';
import test from 'ava';
import nacl from 'tweetnacl';
import { fromHex, toHex } from '../../src/protocol/hex.ts';
import {
  createFastSigner,
  createFastVerifier,
  createSigner,
  isAcceptableKey,
  isAcceptableSignature,
  referenceVerifier,
} from '../../src/protocol/signature.ts';

const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;
const fieldOrder = 2n ** 255n - 19n;
const verifiers = { reference: referenceVerifier, fast: createFastVerifier() };

function digestOf(text: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(text).digest());
}

function toLittleEndian(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(64, '0')).reverse();
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);
}

/** The same answer from both verifiers. */
function verifyAlike(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean | 'verifiers differ' {
  const answers = Object.values(verifiers).map((verifier) => verifier.verify(key, digest, signature));
  return answers[0] === answers[1] ? answers[0]! : 'verifiers differ';
}

test('both signers make the key and the bytes of RFC 8032', (t) => {
  // Section 7.1, TEST 1: the key alone, as its message is empty and ours are digests.
  const seed = fromHex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');
  const key = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
  t.is(toHex(createSigner(seed).publicKey), key);
  t.is(toHex(createFastSigner(seed).publicKey), key);
});

test('both signers agree byte for byte, and both verifiers take what they sign', (t) => {
  for (let index = 0; index < 8; index++) {
    const seed = digestOf(`seed ${index}`);
    const digest = digestOf(`message ${index}`);
    const [reference, fast] = [createSigner(seed), createFastSigner(seed)];
    t.deepEqual(fast.publicKey, reference.publicKey);
    t.deepEqual(fast.sign(digest), reference.sign(digest));
    t.true(verifyAlike(fast.publicKey, digest, fast.sign(digest)));
  }
});

test('a flipped bit in key, digest or signature is refused by both', (t) => {
  const signer = createFastSigner(digestOf('signer'));
  const digest = digestOf('message');
  const parts = [signer.publicKey, digest, signer.sign(digest)] as const;
  for (const [which, part] of parts.entries()) {
    for (const bit of [0, 1, 77, 200, part.length * 8 - 1]) {
      const changed = parts.map((bytes) => Uint8Array.from(bytes)) as [Uint8Array, Uint8Array, Uint8Array];
      changed[which]![bit >> 3]! ^= 1 << (bit & 7);
      t.false(verifyAlike(...changed), `part ${which}, bit ${bit}`);
    }
  }
});

test('a malleated signature (S + L) is refused by both, though tweetnacl alone would take it', (t) => {
  const signer = createSigner(digestOf('signer'));
  const digest = digestOf('message');
  const signature = signer.sign(digest);
  const malleated = Uint8Array.from(signature);
  malleated.set(toLittleEndian(fromLittleEndian(signature.subarray(32)) + groupOrder), 32);
  t.true(nacl.sign.detached.verify(digest, malleated, signer.publicKey), 'this is why the rule exists');
  t.false(verifyAlike(signer.publicKey, digest, malleated));
});

test('S must be below L', (t) => {
  const signature = new Uint8Array(64);
  signature.set(toLittleEndian(groupOrder - 1n), 32);
  t.true(isAcceptableSignature(signature));
  signature.set(toLittleEndian(groupOrder), 32);
  t.false(isAcceptableSignature(signature));
});

test('keys of small order are refused by both, though a signature under them fits every message', (t) => {
  const identity = toLittleEndian(1n);
  const forged = new Uint8Array(64); // R = the identity, S = 0
  forged.set(identity);
  const digest = digestOf('anything');
  t.true(nacl.sign.detached.verify(digest, forged, identity), 'this is why the rule exists');
  t.false(verifyAlike(identity, digest, forged));
  const orderEight = [
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  ].map(fromHex);
  for (const key of [toLittleEndian(0n), identity, toLittleEndian(fieldOrder - 1n), ...orderEight]) {
    const negated = Uint8Array.from(key);
    negated[31]! |= 0x80;
    for (const bytes of [key, negated]) {
      t.false(isAcceptableKey(bytes));
      t.false(verifyAlike(bytes, digest, forged));
    }
  }
});

test('a key that is not canonical is refused by both', (t) => {
  const digest = digestOf('message');
  for (let y = fieldOrder; y < 2n ** 255n; y++) {
    t.false(isAcceptableKey(toLittleEndian(y)));
    t.false(verifyAlike(toLittleEndian(y), digest, new Uint8Array(64)));
  }
});

test('keys that are no point, and random signatures, are refused alike', (t) => {
  for (let index = 0; index < 16; index++) {
    const key = digestOf(`key ${index}`);
    const signature = new Uint8Array(64);
    signature.set(digestOf(`r ${index}`));
    signature.set(digestOf(`s ${index}`), 32);
    signature[63]! &= 0x0f;
    t.false(verifyAlike(key, digestOf('message'), signature));
  }
});

test('wrong lengths of what others send give false, of our own digest throw', (t) => {
  const signer = createFastSigner(digestOf('signer'));
  const digest = digestOf('message');
  const signature = signer.sign(digest);
  for (const bytes of [new Uint8Array(), signature.subarray(1), new Uint8Array(65)]) {
    t.false(verifyAlike(signer.publicKey, digest, bytes));
    t.false(verifyAlike(bytes, digest, signature));
  }
  for (const verifier of Object.values(verifiers)) {
    t.throws(() => verifier.verify(signer.publicKey, digest.subarray(1), signature), { instanceOf: RangeError });
  }
  for (const create of [createSigner, createFastSigner]) {
    t.throws(() => create(new Uint8Array(31)), { instanceOf: RangeError });
    t.throws(() => create(new Uint8Array(32)).sign(new Uint8Array(33)), { instanceOf: RangeError });
  }
});

test('the fast verifier answers the same after its keys have been pushed out', (t) => {
  const verifier = createFastVerifier();
  const signer = createFastSigner(digestOf('signer'));
  const digest = digestOf('message');
  const signature = signer.sign(digest);
  t.true(verifier.verify(signer.publicKey, digest, signature));
  for (let index = 0; index < 1100; index++) verifier.verify(digestOf(`other ${index}`), digest, signature);
  t.true(verifier.verify(signer.publicKey, digest, signature));
});
