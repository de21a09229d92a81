/** A byte-level BPE tokenizer with a few merges, for tests: it says any text, and in fewer tokens than bytes. */
import { writeFile } from 'node:fs/promises';
import { listByteSymbols } from '../../../src/trainer/tokenizer/byte-tokenizer-json.ts';

/** The content of a `tokenizer.json` of `vocabSize` ids, 300 or more; the last one is its end-of-text token. */
export function createLetterTokenizer(vocabSize: number): Record<string, unknown> {
  const pairs = ['in', 'er', 'an', 'th', 'on', 'ab', 'cd', 'ef', 'gh', 'xy'];
  const tokens = [...listByteSymbols(), ...pairs, 'ther', 'Ġa'];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return {
    version: '1.0',
    added_tokens: [{ id: vocabSize - 1, content: '</s>', special: true, normalized: false }],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      vocab,
      merges: [...pairs.map((pair) => `${pair[0]} ${pair[1]}`), 'th er', 'Ġ a'],
    },
  };
}

/** Writes such a file. */
export async function writeLetterTokenizer(path: string, vocabSize: number): Promise<void> {
  await writeFile(path, JSON.stringify(createLetterTokenizer(vocabSize)));
}
