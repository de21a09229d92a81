/** Repeatable uniform numbers to sample with: xoshiro128** (https://prng.di.unimi.it/). spec/generation.md#sampling */
import { createHash } from 'node:crypto';

/** Numbers with 0 ≤ x < 1. */
export type Random = () => number;

/**
 * Multiples of 2^-53 from the generator whose state is the first 16 bytes of the SHA-256 of the seed in decimal.
 * The same seed gives the same numbers for ever.
 * @param seed a whole number
 */
export function createRandom(seed: number): Random {
  const key = createHash('sha256').update(`tapestry/sample/v1\0${seed}`).digest();
  let [s0, s1, s2, s3] = [0, 4, 8, 12].map((at) => key.readInt32LE(at)) as [number, number, number, number];
  const draw = (): number => {
    const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
    const shifted = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= shifted;
    s3 = rotate(s3, 11);
    return result;
  };
  return () => ((draw() >>> 5) * 2 ** 26 + (draw() >>> 6)) / 2 ** 53;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
