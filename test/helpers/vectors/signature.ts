/** Runs vectors of the format `signature`: what every signer makes of a seed, and every verifier says to a signature. */
import { fromHex, toHex } from '../../../src/protocol/hex.ts';
import {
  createFastSigner,
  createFastVerifier,
  createSigner,
  referenceVerifier,
} from '../../../src/protocol/signature.ts';
import type { VectorRunner } from './data.ts';

/** Hex throughout; with a `seed`, the key and the signature follow from it. */
export interface SignatureVector {
  readonly name: string;
  readonly seed?: string;
  readonly publicKey: string;
  readonly digest: string;
  readonly signature: string;
  readonly valid: boolean;
}

export const run: VectorRunner = (t, vector) => {
  const { seed, publicKey, digest, signature, valid } = vector as SignatureVector;
  for (const verifier of [referenceVerifier, createFastVerifier()]) {
    t.is(verifier.verify(fromHex(publicKey), fromHex(digest), fromHex(signature)), valid);
  }
  if (seed === undefined) return;
  for (const create of [createSigner, createFastSigner]) {
    const signer = create(fromHex(seed));
    t.is(toHex(signer.publicKey), publicKey);
    t.is(toHex(signer.sign(fromHex(digest))), signature);
  }
};
