/** The default tokenizer: a token is a byte. spec/data.md#tokenizers */
import type { Tokenizer } from './tokenizer.ts';

const vocabSize = 256;

/** Bytes as tokens: nothing is decoded, nothing is unknown, and zero separates documents. */
export function createByteTokenizer(): Tokenizer {
  return {
    kind: 'bytes',
    hash: null,
    vocabSize,
    separator: 0,
    unknown: null,
    encode: (text) => new Int32Array(text),
    encodeCounted: (text) => ({ tokens: new Int32Array(text), unknowns: 0 }),
    decode: (tokens) => Uint8Array.from(Array.from(tokens).filter((token) => token >= 0 && token < vocabSize)),
  };
}
