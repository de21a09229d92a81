/**
 * From text to tokens and back: the bytes themselves, or any `tokenizer.json` that @huggingface/tokenizers can run.
 * Types, and the one way to load either. spec/data.md#tokenizers
 */
import { createByteTokenizer } from './byte-tokenizer.ts';

/** Where a tokenizer comes from; the path is that of a `tokenizer.json`. */
export type TokenizerSource = { readonly kind: 'bytes' } | { readonly kind: 'huggingface'; readonly path: string };

/** Tokens of a text, and how much of it the vocabulary could not say. */
export interface CountedTokens {
  readonly tokens: Int32Array;
  /** unknown tokens, and pieces that the tokenizer left out because it has no token for what is unknown */
  readonly unknowns: number;
}

/** Turns text into token ids. */
export interface Tokenizer {
  readonly kind: TokenizerSource['kind'];
  /** Merkle root of the bytes of `tokenizer.json`, hex; null for bytes. It is the name by which a manifest knows it. */
  readonly hash: string | null;
  /** ids are below it */
  readonly vocabSize: number;
  /** the token that follows every run of text: 0 for bytes, else the end-of-text token */
  readonly separator: number;
  /** null when there is none: bytes, byte-level vocabularies */
  readonly unknown: number | null;
  /** @param text UTF-8; bytes that are not are taken as they are by `bytes` and as U+FFFD by others */
  encode(text: Uint8Array): Int32Array;
  /** `encode` that also tells what was unknown. */
  encodeCounted(text: Uint8Array): CountedTokens;
  /** @returns UTF-8; special tokens are written out, ids that no token has are left out */
  decode(tokens: ArrayLike<number>): Uint8Array;
}

/**
 * Loads a tokenizer. The library is imported only for a `tokenizer.json`.
 * @throws {TapestryError} `tokenizer-missing`, `tokenizer-invalid`, `tokenizer-unsupported`, `tokenizer-separator`
 */
export async function loadTokenizer(source: TokenizerSource): Promise<Tokenizer> {
  if (source.kind === 'bytes') {
    return createByteTokenizer();
  }
  const { loadHuggingFaceTokenizer } = await import('./huggingface-tokenizer.ts');
  return loadHuggingFaceTokenizer(source.path);
}
