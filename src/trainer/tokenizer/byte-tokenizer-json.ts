/**
 * Our bytes as a `tokenizer.json`, for exported folders: byte-level BPE without merges, in which a byte's id is its
 * value. No token is special, so that no text is ever taken for one. spec/data.md#tokenizers
 */

/**
 * A `tokenizer.json` with which Hugging Face's classes turn text into exactly its UTF-8 bytes and back.
 * @returns JSON text, always the same
 */
export function createByteTokenizerJson(): string {
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(listByteSymbols().map((symbol, byte) => [symbol, byte])),
      merges: [],
    },
  };
  return `${JSON.stringify(tokenizer, null, 2)}\n`;
}

/**
 * The character that byte-level tokenizers write for each byte: printable Latin-1 stands for itself, the others are
 * numbered from U+0100 in their order. From GPT-2's `bytes_to_unicode`.
 */
export function listByteSymbols(): readonly string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    return String.fromCodePoint(isPrintable ? byte : next++);
  });
}
