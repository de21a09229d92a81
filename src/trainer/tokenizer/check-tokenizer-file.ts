/**
 * Looks through a `tokenizer.json` before it is run: its shape, its ids, and the parts that the library would run in
 * another way than Hugging Face's own. spec/data.md#tokenizers
 */
import { TapestryError } from '../../protocol/errors.ts';

/** Ids are below this; the greatest vocabulary of a manifest. */
const maxVocabSize = 1_048_576;

const supportedModels: readonly string[] = ['BPE', 'WordPiece', 'Unigram', 'WordLevel'];

type JsonObject = Record<string, unknown>;

/** What is known of a file that may be run. */
export interface CheckedTokenizerFile {
  /** the file's content, with what is optional filled in */
  readonly tokenizer: JsonObject;
  /** greatest id + 1 */
  readonly vocabSize: number;
  readonly unknownToken: string | null;
}

/** @throws {TapestryError} `tokenizer-invalid`, `tokenizer-unsupported` */
export function checkTokenizerFile(path: string, bytes: Uint8Array): CheckedTokenizerFile {
  const file = parseJsonObject(path, bytes);
  const {
    model,
    pre_tokenizer: preTokenizer = null,
    normalizer = null,
    decoder = null,
    added_tokens: added = [],
  } = file;
  if (!isObject(model) || !isObject(model.vocab) || !Array.isArray(added) || !added.every(isObject)) {
    throw invalid(path, 'a tokenizer with a "model" that has a "vocab"', `the keys ${Object.keys(file).join(', ')}`);
  }
  const type = typeof model.type === 'string' ? model.type : inferModelType(model);
  refuseModel(path, type, model);
  refusePreTokenizers(path, preTokenizer);
  const vocabSize = countIds(path, type, model.vocab, added);
  return {
    // The template around a text is never wanted here: a text is a piece of a document.
    tokenizer: {
      normalizer,
      decoder,
      pre_tokenizer: preTokenizer,
      post_processor: null,
      added_tokens: added,
      model: { ...model, type },
    },
    vocabSize,
    unknownToken: typeof model.unk_token === 'string' ? model.unk_token : null,
  };
}

/** @throws {TapestryError} `tokenizer-invalid` when the bytes are not the JSON of an object */
export function parseJsonObject(path: string, bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid(path, 'JSON', (cause as Error).message, cause);
  }
  if (!isObject(value) || Array.isArray(value)) {
    throw invalid(path, 'a JSON object', JSON.stringify(value).slice(0, 40));
  }
  return value;
}

/** Files from before the type was written down. */
function inferModelType(model: JsonObject): string {
  if (Array.isArray(model.vocab)) {
    return 'Unigram';
  }
  if (Array.isArray(model.merges)) {
    return 'BPE';
  }
  return 'max_input_chars_per_word' in model ? 'WordPiece' : 'WordLevel';
}

function refuseModel(path: string, type: string, model: JsonObject): void {
  if (!supportedModels.includes(type)) {
    throw unsupported(path, `the model ${type}`, supportedModels.join(', '));
  }
  if (Array.isArray(model.vocab) !== (type === 'Unigram') || (type === 'BPE' && !Array.isArray(model.merges))) {
    throw invalid(path, `the vocabulary of a ${type} model`, 'one of another shape');
  }
  if (type === 'BPE' && model.continuing_subword_prefix) {
    throw unsupported(path, 'a BPE with a continuing_subword_prefix', 'one without');
  }
  if (type === 'Unigram' && model.byte_fallback === true) {
    throw unsupported(path, 'a Unigram with byte_fallback', 'one without');
  }
}

/** Split and Punctuation know only some of the ways to deal with what they find; the library takes all for those. */
function refusePreTokenizers(path: string, part: unknown): void {
  if (!isObject(part)) {
    return;
  }
  const behavior = typeof part.behavior === 'string' ? part.behavior : 'Isolated';
  const known: Record<string, readonly string[]> = {
    Split: ['Isolated', 'Removed'],
    Punctuation: ['Contiguous'],
  };
  const ways = known[String(part.type)];
  if (ways !== undefined && !ways.includes(behavior)) {
    throw unsupported(path, `the pre-tokenizer ${part.type} with the behavior ${behavior}`, ways.join(' or '));
  }
  if (Array.isArray(part.pretokenizers)) {
    for (const child of part.pretokenizers) {
      refusePreTokenizers(path, child);
    }
  }
}

function countIds(path: string, type: string, vocab: object, added: readonly JsonObject[]): number {
  const ids: unknown[] = type === 'Unigram' ? [(vocab as unknown[]).length - 1] : Object.values(vocab);
  if (type === 'Unigram' && !(vocab as unknown[]).every((entry) => Array.isArray(entry) && entry.length === 2)) {
    throw invalid(path, 'pairs of token and score', 'something else in the vocabulary');
  }
  let most = -1;
  for (const id of [...ids, ...added.map((token) => token.id)]) {
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0 || id >= maxVocabSize) {
      throw invalid(path, `token ids from 0 to ${maxVocabSize - 1}`, String(id));
    }
    most = Math.max(most, id);
  }
  if (added.some((token) => typeof token.content !== 'string' || token.content === '')) {
    throw invalid(path, 'text in every added token', 'none');
  }
  return most + 1;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null;
}

function invalid(path: string, expected: string, found: string, cause?: unknown): TapestryError {
  return new TapestryError(
    'tokenizer-invalid',
    `${path} is not a tokenizer: expected ${expected}, found ${found}.`,
    'Give the tokenizer.json of a Hugging Face model.',
    { path, expected, found },
    cause,
  );
}

function unsupported(path: string, found: string, expected: string): TapestryError {
  return new TapestryError(
    'tokenizer-unsupported',
    `${path}: expected ${expected}, found ${found}, which cannot be run here as Hugging Face runs it.`,
    'Choose another tokenizer.',
    { path, expected, found },
  );
}
