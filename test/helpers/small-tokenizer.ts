/** A `tokenizer.json` that is no byte tokenizer: bytes, one merge, and an end-of-text token. */
import { createByteTokenizerJson } from '../../src/trainer/tokenizer/byte-tokenizer-json.ts';

/** Tokens of it. */
export const smallVocabulary = 258;

/** The file's bytes. */
export function createSmallTokenizer(): Uint8Array {
  const tokenizer = JSON.parse(createByteTokenizerJson());
  tokenizer.model.vocab.th = 256;
  tokenizer.model.merges = [['t', 'h']];
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  tokenizer.added_tokens = [{ id: 257, content: '<|endoftext|>', ...flags }];
  return new TextEncoder().encode(JSON.stringify(tokenizer));
}
