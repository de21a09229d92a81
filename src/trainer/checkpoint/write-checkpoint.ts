/**
 * A model as a folder that Hugging Face's Llama classes load: config.json, generation_config.json, the weights in
 * safetensors, and the tokenizer. spec/checkpoints.md
 */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { computeModelLayout, type ModelConfig } from '../../protocol/model.ts';
import { createByteTokenizerJson } from '../tokenizer/byte-tokenizer-json.ts';
import { parseJsonObject } from '../tokenizer/check-tokenizer-file.ts';
import { loadTokenizer, type Tokenizer, type TokenizerSource } from '../tokenizer/tokenizer.ts';
import { bytesPerValue } from './float-formats.ts';
import { writeFolderWhole } from './folder-writer.ts';
import { formatGenerationConfig, formatHuggingFaceConfig, type SpecialTokens, toJson } from './huggingface-config.ts';
import type { Checkpoint } from './read-checkpoint.ts';
import { weightFiles } from './tensor-files.ts';
import { type TensorToWrite, type WrittenFormat, writeSafetensors } from './write-safetensors.ts';

/** How weights are written. */
export interface WriteOptions {
  /** default `F32` */
  readonly format?: WrittenFormat;
  /** most bytes of tensors in one file (a larger tensor has one to itself); default 5 GB, as transformers has it */
  readonly maxShardBytes?: number;
}

const defaultShardBytes = 5e9;

/**
 * Writes a model folder, whole or not at all.
 * @param metadata texts for the header of the weights, beside `format`
 * @throws {TapestryError} `folder-taken`, `folder-failed`, `weights-not-finite`, `weights-too-large`, `tokenizer-…`
 */
export async function writeCheckpoint(
  folder: string,
  checkpoint: Checkpoint,
  metadata: Readonly<Record<string, string>> = {},
  options: WriteOptions = {},
): Promise<void> {
  await writeFolderWhole(folder, (temporary) => writeModelFiles(temporary, checkpoint, metadata, options));
}

/** Writes the files of a model into a folder that is there. Throws as `writeCheckpoint`. */
export async function writeModelFiles(
  folder: string,
  { model, parameters, tokenizer }: Checkpoint,
  metadata: Readonly<Record<string, string>>,
  { format = 'F32', maxShardBytes = defaultShardBytes }: WriteOptions = {},
): Promise<void> {
  const loaded = await loadTokenizer(tokenizer);
  await writeTokenizer(folder, tokenizer, loaded, model);
  const tokens: SpecialTokens = { bos: await findBos(folder, loaded), eos: loaded.separator };
  await writeFile(join(folder, 'config.json'), formatHuggingFaceConfig(model, tokens, format));
  await writeFile(join(folder, 'generation_config.json'), formatGenerationConfig(tokens));
  await writeWeights(folder, model, parameters, { ...metadata, format: 'pt' }, { format, maxShardBytes });
}

async function writeWeights(
  folder: string,
  model: ModelConfig,
  parameters: Float32Array,
  metadata: Readonly<Record<string, string>>,
  { format, maxShardBytes }: Required<WriteOptions>,
): Promise<void> {
  const tensors = computeModelLayout(model).tensors.map(({ name, shape, offset, length }) => ({
    name,
    shape,
    values: parameters.subarray(offset, offset + length),
  }));
  const shards = splitIntoShards(tensors, maxShardBytes / bytesPerValue[format]);
  if (shards.length === 1) {
    await writeSafetensors(join(folder, weightFiles.single), tensors, format, metadata);
    return;
  }
  const pad = (number: number): string => String(number).padStart(5, '0');
  const names = shards.map((_, at) => `model-${pad(at + 1)}-of-${pad(shards.length)}.safetensors`);
  for (const [at, shard] of shards.entries()) {
    await writeSafetensors(join(folder, names[at]!), shard, format, metadata);
  }
  const files = shards.flatMap((shard, at) => shard.map(({ name }) => [name, names[at]!] as const));
  const index = {
    metadata: { total_parameters: parameters.length, total_size: parameters.length * bytesPerValue[format] },
    weight_map: Object.fromEntries(files.toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
  await writeFile(join(folder, weightFiles.index), toJson(index));
}

/** Fills one file after the other, in order. */
function splitIntoShards(tensors: readonly TensorToWrite[], maxLength: number): TensorToWrite[][] {
  const shards: TensorToWrite[][] = [[]];
  let length = 0;
  for (const tensor of tensors) {
    if (length > 0 && length + tensor.values.length > maxLength) {
      shards.push([]);
      length = 0;
    }
    shards.at(-1)!.push(tensor);
    length += tensor.values.length;
  }
  return shards;
}

/** tokenizer.json as it is, and what stands beside it; where nothing does, what the generic class needs. */
async function writeTokenizer(
  folder: string,
  source: TokenizerSource,
  tokenizer: Tokenizer,
  { contextLength }: ModelConfig,
): Promise<void> {
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: contextLength,
    // Otherwise decoding would drop spaces before punctuation.
    clean_up_tokenization_spaces: false,
  };
  const configPath = join(folder, 'tokenizer_config.json');
  if (source.kind === 'bytes' || tokenizer.kind === 'bytes') {
    await writeFile(join(folder, 'tokenizer.json'), createByteTokenizerJson());
    // No "eos_token": naming one would make its character special in every text.
    await writeFile(configPath, toJson(config));
    return;
  }
  await writeFile(join(folder, 'tokenizer.json'), await readFile(source.path));
  const beside = dirname(source.path);
  await copyIfThere(join(beside, 'special_tokens_map.json'), join(folder, 'special_tokens_map.json'));
  if (!(await copyIfThere(join(beside, 'tokenizer_config.json'), configPath))) {
    const eos = new TextDecoder().decode(tokenizer.decode([tokenizer.separator]));
    await writeFile(configPath, toJson({ ...config, eos_token: eos }));
  }
}

/** Copies without the rights of the original, which may be read-only. */
async function copyIfThere(from: string, to: string): Promise<boolean> {
  const bytes = await readFile(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (bytes !== null) await writeFile(to, bytes);
  return bytes !== null;
}

/** The id of the "bos_token" of tokenizer_config.json, or null where there is none. */
async function findBos(folder: string, tokenizer: Tokenizer): Promise<number | null> {
  const path = join(folder, 'tokenizer_config.json');
  const token = parseJsonObject(path, await readFile(path)).bos_token;
  const text = typeof token === 'string' ? token : (token as { content?: unknown } | null | undefined)?.content;
  if (typeof text !== 'string') return null;
  const ids = tokenizer.encode(new TextEncoder().encode(text));
  return ids.length === 1 ? ids[0]! : null;
}
