/**
 * A model folder of Hugging Face's Llama family as one flat vector, its shape and its tokenizer. Everything is checked;
 * nothing is executed or fetched. spec/checkpoints.md
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { TapestryError } from '../../protocol/errors.ts';
import { computeModelLayout, type ModelConfig } from '../../protocol/model.ts';
import { createByteTokenizerJson } from '../tokenizer/byte-tokenizer-json.ts';
import { loadTokenizer, type TokenizerSource } from '../tokenizer/tokenizer.ts';
import { parseHuggingFaceConfig } from './huggingface-config.ts';
import { withSafetensors } from './read-safetensors.ts';
import { badWeights, locateWeights, readSlots, type TensorPlace } from './tensor-files.ts';

/** Largest `config.json`, in bytes. */
const maxConfigBytes = 1 << 20;

/** A model with its weights. */
export interface Checkpoint {
  readonly model: ModelConfig;
  /** flat, in layout order, finite */
  readonly parameters: Float32Array;
  readonly tokenizer: TokenizerSource;
}

/** What a folder says about its model, without the weights. */
export interface CheckpointSummary {
  readonly model: ModelConfig;
  /** what the writer of the weights noted in their header */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a model folder.
 * @throws {TapestryError} `checkpoint-missing`, `config-…`, `weights-…`, `safetensors-…`, `tokenizer-…`
 */
export async function readCheckpoint(folder: string): Promise<Checkpoint> {
  const model = await readConfig(folder);
  const tokenizer = await findTokenizer(folder, model);
  const places = await locateWeights(folder);
  const { tensors } = computeModelLayout(model);
  const copy = model.tiedEmbeddings ? places.get('lm_head.weight') : undefined;
  if (copy !== undefined) places.delete('lm_head.weight');
  const parameters = await readSlots(folder, places, tensors);
  if (copy !== undefined) await checkTiedCopy(copy, parameters.subarray(0, tensors[0]!.length), tensors[0]!.shape);
  return { model, parameters, tokenizer };
}

/**
 * Reads what a folder says about its model.
 * @throws {TapestryError} as `readCheckpoint`, for what it reads
 */
export async function summarizeCheckpoint(folder: string): Promise<CheckpointSummary> {
  const model = await readConfig(folder);
  const [place] = (await locateWeights(folder)).values();
  const metadata = place === undefined ? {} : await withSafetensors(place.path, async (file) => file.metadata);
  return { model, metadata };
}

async function readConfig(folder: string): Promise<ModelConfig> {
  const path = join(folder, 'config.json');
  const { size } = await stat(path).catch((cause: unknown) => {
    throw new TapestryError(
      'checkpoint-missing',
      `${folder}: expected the folder of a model, found no readable config.json in it`,
      'Give the folder that holds config.json, model.safetensors and tokenizer.json.',
      { folder },
      cause,
    );
  });
  if (size > maxConfigBytes) {
    throw new TapestryError(
      'config-range',
      `${path}: expected at most ${maxConfigBytes} bytes, found ${size}`,
      'Give the folder of a model.',
      { path, size },
    );
  }
  return parseHuggingFaceConfig(await readFile(path, 'utf8'), path);
}

/** The tokenizer of a folder; without one, a vocabulary of 256 is bytes. */
async function findTokenizer(folder: string, model: ModelConfig): Promise<TokenizerSource> {
  const path = join(folder, 'tokenizer.json');
  const found = await stat(path).catch(() => null);
  if (found === null) {
    if (model.vocabSize === 256) return { kind: 'bytes' };
    throw new TapestryError(
      'tokenizer-missing',
      `${folder}: expected a tokenizer.json for the vocabulary of ${model.vocabSize}, found none`,
      'Save the tokenizer with transformers (save_pretrained of a fast tokenizer), which writes tokenizer.json.',
      { folder, vocabSize: model.vocabSize },
    );
  }
  const isBytes = found.size <= maxConfigBytes && saysBytes(await readFile(path, 'utf8'));
  const source: TokenizerSource = isBytes ? { kind: 'bytes' } : { kind: 'huggingface', path };
  const { vocabSize } = await loadTokenizer(source);
  if (vocabSize > model.vocabSize) {
    throw new TapestryError(
      'tokenizer-vocabulary',
      `${path}: expected ids below the model's vocabulary of ${model.vocabSize}, found ids up to ${vocabSize - 1}`,
      'This is the tokenizer of another model: take both from the same export.',
      { path, expected: model.vocabSize, found: vocabSize },
    );
  }
  return source;
}

/** The tokenizer that our exports hold for bytes, also after transformers has saved it again with a template of its own. */
function saysBytes(text: string): boolean {
  try {
    const [found, ours] = [text, createByteTokenizerJson()].map((json) => ({
      ...JSON.parse(json),
      post_processor: null,
    }));
    return isDeepStrictEqual(found, ours);
  } catch {
    return false;
  }
}

/** Some exports of tied models write the output matrix as well; it must be the embedding. */
async function checkTiedCopy(copy: TensorPlace, embedding: Float32Array, shape: readonly number[]): Promise<void> {
  const remedy = 'Set "tie_word_embeddings" to false in config.json if the model has an output matrix of its own.';
  const expected = 'lm_head.weight to be absent or equal to the embedding, as "tie_word_embeddings" says';
  if (copy.tensor.shape.join() !== shape.join()) {
    throw badWeights(copy.path, 'tied', expected, `the shape [${copy.tensor.shape.join(', ')}]`, remedy);
  }
  await withSafetensors(copy.path, ({ read }) =>
    read(copy.tensor, (values, from) => {
      const at = values.findIndex((value, index) => value !== embedding[from + index]);
      if (at >= 0) throw badWeights(copy.path, 'tied', expected, `another value ${from + at}`, remedy);
    }),
  );
}
