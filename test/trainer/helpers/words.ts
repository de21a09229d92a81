/** Pseudo-random words: text that is repeatable and not all alike. */
import { createNumbers } from './numbers.ts';

/** A source of words of 2 to 13 letters. */
export function createWords(seed: number): () => string {
  const number = createNumbers(seed);
  const below = (count: number): number => Math.min(count - 1, Math.floor(((number() + 1) / 2) * count));
  return () => Array.from({ length: 2 + below(12) }, () => String.fromCharCode(97 + below(26))).join('');
}
