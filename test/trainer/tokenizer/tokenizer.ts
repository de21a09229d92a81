import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { computeMerkleRoot } from '../../../src/protocol/merkle.ts';
import { createByteTokenizerJson } from '../../../src/trainer/tokenizer/byte-tokenizer-json.ts';
import { loadTokenizer, type Tokenizer } from '../../../src/trainer/tokenizer/tokenizer.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { createLetterTokenizer } from '../helpers/letter-tokenizer.ts';

type Json = Record<string, unknown>;

async function load(t: ExecutionContext, file: Json | string, config?: Json | string): Promise<Tokenizer> {
  const folder = await makeTemporaryFolder(t);
  const write = (name: string, content: Json | string): Promise<void> =>
    writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  await write('tokenizer.json', file);
  if (config !== undefined) await write('tokenizer_config.json', config);
  return loadTokenizer({ kind: 'huggingface', path: join(folder, 'tokenizer.json') });
}

const letters = createLetterTokenizer(300);
const model = letters.model as Json;
const plain: Json = {
  added_tokens: [{ id: 9, content: '</s>', special: true }],
  pre_tokenizer: { type: 'Whitespace' },
};
const encode = (tokenizer: Tokenizer, text: string): number[] => [...tokenizer.encode(Buffer.from(text))];
const decode = (tokenizer: Tokenizer, tokens: readonly number[]): string =>
  Buffer.from(tokenizer.decode(tokens)).toString();

test('bytes are their own tokens, whatever they are', async (t) => {
  const bytes = await loadTokenizer({ kind: 'bytes' });
  t.like(bytes, { kind: 'bytes', hash: null, vocabSize: 256, separator: 0, unknown: null });
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  t.deepEqual([...bytes.encode(every)], [...every]);
  t.deepEqual(bytes.encodeCounted(every), { tokens: Int32Array.from(every), unknowns: 0 });
  t.deepEqual(bytes.decode([...every]), every);
  t.deepEqual([...bytes.decode([65, 256, -1, 66])], [65, 66]);
});

test('a byte-level BPE encodes and decodes any text, in fewer tokens than bytes', async (t) => {
  const tokenizer = await load(t, letters);
  t.like(tokenizer, { kind: 'huggingface', vocabSize: 300, separator: 299, unknown: null });
  t.is(tokenizer.hash, Buffer.from(computeMerkleRoot(Buffer.from(JSON.stringify(letters)))).toString('hex'));
  const text = "the inner other  banana isn't 漢字 \r\n\0 ᏣᎳᎩ 🙂 . , ?";
  const tokens = encode(tokenizer, text);
  t.is(decode(tokenizer, tokens), text);
  t.true(tokens.length < Buffer.byteLength(text));
  t.deepEqual(encode(tokenizer, 'ther'), [266]);
  t.is(decode(tokenizer, [266, 299, 290, 266]), 'ther</s>ther');
  t.is(tokenizer.decode([]).length, 0);
});

test('bytes that are no UTF-8 become replacement characters, a byte order mark stays', async (t) => {
  const tokenizer = await load(t, letters);
  t.is(decode(tokenizer, [...tokenizer.encode(Uint8Array.of(0x61, 0xff, 0x62))]), 'a\ufffdb');
  t.is(decode(tokenizer, encode(tokenizer, '\ufeffa')), '\ufeffa');
});

test('the tokenizer of our own exports is the bytes again', async (t) => {
  t.is((await load(t, createByteTokenizerJson())).kind, 'bytes');
});

test('what the vocabulary lacks is counted, also where the tokenizer would drop it in silence', async (t) => {
  const vocab = { a: 0, b: 1, '[UNK]': 2 };
  const word = await load(t, { ...plain, model: { type: 'WordLevel', vocab, unk_token: '[UNK]' } });
  t.is(word.unknown, 2);
  t.deepEqual(word.encodeCounted(Buffer.from('a zebra b q')), { tokens: Int32Array.of(0, 2, 1, 2), unknowns: 2 });
  const piece = {
    type: 'WordPiece',
    vocab: { ...vocab, '##b': 3 },
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
  };
  const pieces = await load(t, { ...plain, model: piece });
  t.deepEqual(pieces.encodeCounted(Buffer.from('ab ac')), { tokens: Int32Array.of(0, 3, 2), unknowns: 1 });
  const silent = await load(t, { ...plain, model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] } });
  t.is(silent.unknown, null);
  t.deepEqual(silent.encodeCounted(Buffer.from('abz a')), { tokens: Int32Array.of(2, 0), unknowns: 1 });
  const scores = [
    ['<unk>', 0],
    ['a', -1],
    ['ab', -1.5],
  ];
  const unigram = await load(t, { ...plain, model: { type: 'Unigram', vocab: scores, unk_id: 0 } });
  t.deepEqual(unigram.encodeCounted(Buffer.from('aba')), { tokens: Int32Array.of(2, 1), unknowns: 0 });
  t.deepEqual(unigram.encodeCounted(Buffer.from('aza')), { tokens: Int32Array.of(1, 0, 1), unknowns: 1 });
});

test('the separator has a well-known name, or tokenizer_config.json names it', async (t) => {
  const named = (content: string): Json => ({ ...letters, added_tokens: [{ id: 280, content, special: true }] });
  for (const name of ['<|endoftext|>', '<|end_of_text|>', '<|im_end|>', '[SEP]', '</s>']) {
    t.is((await load(t, named(name))).separator, 280, name);
  }
  t.is((await load(t, named('<stop>'), { eos_token: '<stop>' })).separator, 280);
  t.is((await load(t, named('<stop>'), { eos_token: { content: '<stop>' } })).separator, 280);
  await t.throwsAsync(load(t, named('<stop>')), {
    code: 'tokenizer-separator',
    message: /<\/s>.*"eos_token" in .*_config/,
  });
  const error = { code: 'tokenizer-separator', message: /names the end-of-text token <gone>/ };
  await t.throwsAsync(load(t, named('<stop>'), { eos_token: '<gone>' }), error);
  await t.throwsAsync(load(t, named('<stop>'), 'no json'), { code: 'tokenizer-invalid', message: /_config\.json/ });
});

for (const [name, file, code, message] of [
  ['no JSON', '{"model":', 'tokenizer-invalid', /tokenizer\.json.*expected JSON/],
  ['another JSON', '[1]', 'tokenizer-invalid', /a JSON object/],
  ['no model', { added_tokens: [] }, 'tokenizer-invalid', /"model".*added_tokens/],
  ['a model without vocabulary', { ...letters, model: { type: 'BPE' } }, 'tokenizer-invalid', /"vocab"/],
  ['an unknown model', { ...letters, model: { ...model, type: 'Magic' } }, 'tokenizer-unsupported', /the model Magic/],
  ['an unknown part', { ...letters, normalizer: { type: 'Shout' } }, 'tokenizer-unsupported', /Shout/],
  ['an id beyond all', { ...letters, model: { ...model, vocab: { a: 4e9 } } }, 'tokenizer-invalid', /4000000000/],
  ['an id that is none', { ...letters, model: { ...model, vocab: { a: 'x' } } }, 'tokenizer-invalid', /found x/],
  ['a merge of nothing', { ...letters, model: { ...model, merges: 5 } }, 'tokenizer-invalid', /BPE/],
  [
    'a way to split that would be ignored',
    { ...letters, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Punctuation', behavior: 'Isolated' }] } },
    'tokenizer-unsupported',
    /Punctuation with the behavior Isolated/,
  ],
] as const) {
  test(`a file that is no tokenizer we can run is refused by name: ${name}`, async (t) => {
    const error = await t.throwsAsync(load(t, file as Json | string), { code, message });
    t.truthy((error as unknown as { remedy: string }).remedy);
  });
}

test('a missing file and one that is too large are refused before they are read', async (t) => {
  const path = join(await makeTemporaryFolder(t), 'tokenizer.json');
  await t.throwsAsync(loadTokenizer({ kind: 'huggingface', path }), {
    code: 'tokenizer-missing',
    message: /tokenizer\.json/,
  });
  await writeFile(path, '{}');
  await truncate(path, 2 ** 26 + 1);
  await t.throwsAsync(loadTokenizer({ kind: 'huggingface', path }), {
    code: 'tokenizer-invalid',
    message: /67108864 bytes/,
  });
});
