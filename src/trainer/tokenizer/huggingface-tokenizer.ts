/**
 * Any `tokenizer.json` that @huggingface/tokenizers runs as Hugging Face's own library would; what it would run
 * otherwise is refused by name. Loaded only when one is asked for. spec/data.md#tokenizers
 */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { TapestryError } from '../../protocol/errors.ts';
import { toHex } from '../../protocol/hex.ts';
import { computeMerkleRoot } from '../../protocol/merkle.ts';
import { createByteTokenizer } from './byte-tokenizer.ts';
import { createByteTokenizerJson } from './byte-tokenizer-json.ts';
import { type CheckedTokenizerFile, checkTokenizerFile, parseJsonObject } from './check-tokenizer-file.ts';
import type { CountedTokens, Tokenizer } from './tokenizer.ts';

/** Largest `tokenizer.json` and `tokenizer_config.json`, in bytes. */
const maxFileBytes = 64 * 2 ** 20;

/** End-of-text tokens of well-known families, the most telling first. */
const separatorNames: readonly string[] = [
  '<|endoftext|>',
  '<|end_of_text|>',
  '</s>',
  '<eos>',
  '<|eos|>',
  '[EOS]',
  '<｜end▁of▁sentence｜>',
  '<|im_end|>',
  '<|eot_id|>',
  '[SEP]',
];

/** Stands for what a BPE without an unknown token would drop in silence; no vocabulary has it. */
const dropped = '\u{10ffff}dropped';

/**
 * Loads a `tokenizer.json`; the one that our own exports hold becomes the bytes again.
 * @throws {TapestryError} `tokenizer-missing`, `tokenizer-invalid`, `tokenizer-unsupported`, `tokenizer-separator`
 */
export async function loadHuggingFaceTokenizer(path: string): Promise<Tokenizer> {
  const bytes = await readBounded(path);
  if (bytes.equals(Buffer.from(createByteTokenizerJson()))) {
    return createByteTokenizer();
  }
  const file = checkTokenizerFile(path, bytes);
  const library = createLibrary(path, file);
  const separator = await findSeparator(path, library);
  return createTokenizer(library, file, separator, toHex(computeMerkleRoot(bytes)));
}

function createTokenizer(library: Library, file: CheckedTokenizerFile, separator: number, hash: string): Tokenizer {
  const unknown = library.model?.unk_token_id ?? null;
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const encodeCounted = (text: Uint8Array): CountedTokens => {
    const ids: readonly (number | null | undefined)[] = library.encode(decoder.decode(text), {
      add_special_tokens: false,
    }).ids;
    const known = ids.filter((id) => id !== null && id !== undefined);
    const unknowns = ids.length - known.length + known.filter((id) => id === unknown).length;
    return { tokens: Int32Array.from(known), unknowns };
  };
  return {
    kind: 'huggingface',
    hash,
    vocabSize: file.vocabSize,
    separator,
    unknown,
    encode: (text) => encodeCounted(text).tokens,
    encodeCounted,
    decode(tokens) {
      const known = Array.from(tokens).filter((id) => library.id_to_token(id) !== undefined);
      const options = { skip_special_tokens: false, clean_up_tokenization_spaces: false };
      return known.length === 0 ? new Uint8Array() : new Uint8Array(Buffer.from(library.decode(known, options)));
    },
  };
}

/** Compiles the tokenizer; nothing of `tokenizer_config.json` changes how text is cut, as in Hugging Face's library. */
function createLibrary(path: string, { tokenizer, unknownToken }: CheckedTokenizerFile): Library {
  let library: Library;
  try {
    // `unk_token` is read for word-level models alone, which take it from here and not from their own settings.
    library = new Library(tokenizer, { eos_token: null, unk_token: unknownToken });
  } catch (cause) {
    const { message } = cause as Error;
    throw new TapestryError(
      'tokenizer-unsupported',
      `${path}: expected parts that can be run here, found: ${message}`,
      'Choose another tokenizer: this one would cut text otherwise than where it comes from.',
      { path },
      cause,
    );
  }
  const { model } = library;
  if (model !== null && (model.unk_token_id === undefined || model.unk_token_id === null)) {
    model.unk_token = dropped;
  }
  return library;
}

/** The end-of-text token: of a well-known name, else what `tokenizer_config.json` beside the file says. */
async function findSeparator(path: string, library: Library): Promise<number> {
  for (const name of separatorNames) {
    const id = library.token_to_id(name);
    if (id !== undefined) {
      return id;
    }
  }
  const configPath = join(dirname(path), 'tokenizer_config.json');
  const named = await readEosToken(configPath);
  const id = named === null ? undefined : library.token_to_id(named);
  if (id !== undefined) {
    return id;
  }
  throw new TapestryError(
    'tokenizer-separator',
    named === null
      ? `${path} has no end-of-text token: expected one of ${separatorNames.join(' ')}, or an "eos_token" in ${configPath}.`
      : `${configPath} names the end-of-text token ${named}, which ${path} does not have.`,
    'Put a tokenizer_config.json beside the file whose "eos_token" is a token of the vocabulary.',
    { path, configPath, named },
  );
}

async function readEosToken(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (found === null) {
    return null;
  }
  const token = parseJsonObject(path, await readBounded(path)).eos_token;
  if (typeof token === 'string') {
    return token;
  }
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : null;
}

async function readBounded(path: string): Promise<Buffer> {
  const found = await stat(path).catch((cause: Error) => {
    throw new TapestryError(
      'tokenizer-missing',
      `Cannot read the tokenizer ${path}: ${cause.message}.`,
      'Give the path of a tokenizer.json.',
      { path },
      cause,
    );
  });
  if (!found.isFile() || found.size > maxFileBytes) {
    throw new TapestryError(
      'tokenizer-invalid',
      `${path}: expected a file of at most ${maxFileBytes} bytes, found ${found.isFile() ? `${found.size} bytes` : 'no file'}.`,
      'Give the path of a tokenizer.json.',
      { path, size: found.size },
    );
  }
  return readFile(path);
}
