import { readFile } from 'node:fs/promises';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import test from 'ava';
import { createByteTokenizerJson, listByteSymbols } from '../../../src/trainer/tokenizer/byte-tokenizer-json.ts';

const library = new Library(JSON.parse(createByteTokenizerJson()), {});

function encode(text: string): number[] {
  return library.encode(text, { add_special_tokens: false }).ids;
}

test("Hugging Face's classes encode any text to its bytes and back", (t) => {
  const everything = Array.from({ length: 0x3000 }, (_, code) => String.fromCodePoint(code)).join('');
  for (const text of [
    'plain',
    ' leading, trailing and   inner spaces \t\r\n\n ',
    "don't . , ? ! 's 're n't",
    '\0 </s> <|endoftext|> Ā Ġ ▁ \ufeff',
    '漢字かな交じり文 ᏣᎳᎩ עברית 🙂👩‍👩‍👧 e\u0301 é',
    everything,
  ]) {
    const bytes = [...Buffer.from(text)];
    t.deepEqual(encode(text), bytes);
    t.is(library.decode(bytes, { clean_up_tokenization_spaces: false }), text);
  }
});

test('every byte has a symbol of its own, printable ones their own character', (t) => {
  const symbols = listByteSymbols();
  t.is(new Set(symbols).size, 256);
  t.is(symbols[0x41], 'A');
  t.is(symbols[0x20], 'Ġ');
  t.is(symbols[0x0a], 'Ċ');
  t.is(symbols[0xff], 'ÿ');
});

test('real text goes through it unchanged', async (t) => {
  const text = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  t.deepEqual(encode(text), [...Buffer.from(text)]);
});
