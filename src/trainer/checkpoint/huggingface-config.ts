/**
 * `config.json` of Hugging Face's Llama classes ⇄ the model's shape. What the classes would compute and this program
 * would not is refused by the name of its key. spec/checkpoints.md#configuration
 *
 * D = hidden_size, H = num_attention_heads, d = D / H
 */
import { TapestryError } from '../../protocol/errors.ts';
import { maxParameters } from '../../protocol/manifest.ts';
import { computeModelLayout, type ModelConfig } from '../../protocol/model.ts';
import { quoteName } from './safetensors-header.ts';

type Json = Readonly<Record<string, unknown>>;

/** Families that compute the same function, and what `transformers` takes where a key is missing. */
const families: Readonly<
  Record<string, { architecture: string; kvHeads: number | null; context: number; window: number | null }>
> = {
  llama: { architecture: 'LlamaForCausalLM', kvHeads: null, context: 2048, window: null },
  // The same classes but for the sliding window, which sees everything in a context that is no longer than it.
  mistral: { architecture: 'MistralForCausalLM', kvHeads: 8, context: 131_072, window: 4096 },
};

/**
 * Reads a configuration.
 * @param text of the file
 * @param path for errors
 * @throws {TapestryError} `config-not-json`, `config-missing`, `config-range`, `config-unsupported`, each with the key
 */
export function parseHuggingFaceConfig(text: string, path: string): ModelConfig {
  const config = parseObject(text, path);
  const refuse = (kind: string, key: string, expected: string): TapestryError =>
    badConfig(path, kind, key, expected, config[key]);
  const family = typeof config.model_type === 'string' ? families[config.model_type] : undefined;
  if (family === undefined || !Object.hasOwn(families, config.model_type as string)) {
    throw refuse('unsupported', 'model_type', `one of ${Object.keys(families).join(', ')}`);
  }
  const count = (key: string, least: number, most: number, fallback: number | null = null): number => {
    const value = config[key] ?? fallback;
    if (value === null) throw refuse('missing', key, `a whole number from ${least} to ${most}`);
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    throw refuse('range', key, `a whole number from ${least} to ${most}`);
  };
  const normEpsilon = config.rms_norm_eps ?? 1e-6;
  if (typeof normEpsilon !== 'number' || !(normEpsilon > 0 && normEpsilon <= 0.1)) {
    throw refuse('range', 'rms_norm_eps', 'a number above 0 and at most 0.1');
  }
  const heads = count('num_attention_heads', 1, 1024);
  const model: ModelConfig = {
    vocabSize: count('vocab_size', 2, 1_048_576),
    contextLength: count('max_position_embeddings', 2, 1_048_576, family.context),
    dim: count('hidden_size', 2, 65_536),
    layers: count('num_hidden_layers', 1, 512),
    heads,
    kvHeads: count('num_key_value_heads', 1, 1024, family.kvHeads ?? heads),
    feedForward: count('intermediate_size', 1, 1_048_576),
    ropeTheta: readRopeTheta(config, path),
    normEpsilon,
    tiedEmbeddings: (config.tie_word_embeddings ?? false) === true,
  };
  for (const [key, holds, expected] of rules(config, model, family)) {
    if (!holds) throw refuse('unsupported', key, expected);
  }
  const parameters = computeModelLayout(model).length;
  if (parameters > maxParameters) {
    throw badConfig(path, 'range', 'hidden_size', `a model of at most ${maxParameters} parameters`, parameters);
  }
  return model;
}

/** What must hold so that the classes compute what is computed here: key, whether it does, what was expected. */
function* rules(
  config: Json,
  model: ModelConfig,
  family: (typeof families)[string],
): Generator<[key: string, holds: boolean, expected: string]> {
  const isOff = (key: string): boolean => (config[key] ?? false) === false;
  const isAbsent = (key: string): boolean => (config[key] ?? null) === null;
  const headDim = model.dim / model.heads;
  const { architectures, layer_types: layers, pretraining_tp: parallel } = config;
  const named = Array.isArray(architectures) && architectures.length === 1 && architectures[0] === family.architecture;
  yield ['architectures', isAbsent('architectures') || named, `["${family.architecture}"]`];
  yield ['auto_map', isAbsent('auto_map'), 'no code of its own'];
  yield ['quantization_config', isAbsent('quantization_config'), 'weights that are not quantised'];
  yield ['hidden_act', (config.hidden_act ?? 'silu') === 'silu', '"silu"'];
  yield ['attention_bias', isOff('attention_bias'), 'false'];
  yield ['mlp_bias', isOff('mlp_bias'), 'false'];
  yield ['tie_word_embeddings', isOff('tie_word_embeddings') || model.tiedEmbeddings, 'true or false'];
  yield ['pretraining_tp', (parallel ?? 1) === 1, '1'];
  yield ['num_attention_heads', headDim % 2 === 0, `a divisor of hidden_size = ${model.dim} into even heads`];
  yield ['num_key_value_heads', model.heads % model.kvHeads === 0, `a divisor of num_attention_heads = ${model.heads}`];
  yield ['head_dim', (config.head_dim ?? headDim) === headDim, `hidden_size / num_attention_heads = ${headDim}`];
  yield ['partial_rotary_factor', (config.partial_rotary_factor ?? 1) === 1, '1'];
  const isFull = Array.isArray(layers) && layers.every((kind) => kind === 'full_attention');
  yield ['layer_types', isAbsent('layer_types') || isFull, '"full_attention" for every layer'];
  const window = config.sliding_window === undefined ? family.window : config.sliding_window;
  const sees = window === null || (typeof window === 'number' && window >= model.contextLength);
  yield ['sliding_window', sees, `null, or at least max_position_embeddings = ${model.contextLength}`];
}

/** The base of the rotary embedding, from where older (`rope_theta`) and newer files (`rope_parameters`) have it. */
function readRopeTheta(config: Json, path: string): number {
  const expectedScaling = 'null, or rope_type "default": positions that are not scaled';
  const thetas: [key: string, theta: unknown][] = [];
  if (config.rope_theta !== undefined && config.rope_theta !== null) thetas.push(['rope_theta', config.rope_theta]);
  for (const key of ['rope_scaling', 'rope_parameters']) {
    const value = config[key] ?? null;
    if (value === null) continue;
    if (!isObject(value)) throw badConfig(path, 'unsupported', key, expectedScaling, value);
    const { rope_theta: theta, rope_type: type, type: olderType, ...rest } = value;
    const isDefault = (type ?? olderType ?? 'default') === 'default';
    const others = Object.entries(rest).filter(([name, part]) => !(name === 'partial_rotary_factor' && part === 1));
    if (!isDefault || others.length > 0) throw badConfig(path, 'unsupported', key, expectedScaling, value);
    if (theta !== undefined && theta !== null) thetas.push([key, theta]);
  }
  const [, first = 10_000] = thetas[0] ?? [];
  for (const [key, theta] of thetas) {
    if (typeof theta !== 'number' || !(theta >= 1 && theta <= 1e9)) {
      throw badConfig(path, 'range', key, 'a base from 1 to 1e9', theta);
    }
    if (theta !== first)
      throw badConfig(path, 'unsupported', key, `the same base as ${thetas[0]![0]}, ${first}`, theta);
  }
  return first as number;
}

/** Ids that the model files name. */
export interface SpecialTokens {
  readonly bos: number | null;
  readonly eos: number;
}

/**
 * `config.json` for a model: what `LlamaConfig` expects, and no more.
 * @param format how the weights beside it are stored
 */
export function formatHuggingFaceConfig(model: ModelConfig, tokens: SpecialTokens, format: 'F32' | 'BF16'): string {
  return toJson({
    architectures: ['LlamaForCausalLM'],
    attention_bias: false,
    attention_dropout: 0,
    bos_token_id: tokens.bos,
    eos_token_id: tokens.eos,
    head_dim: model.dim / model.heads,
    hidden_act: 'silu',
    hidden_size: model.dim,
    initializer_range: 0.02,
    intermediate_size: model.feedForward,
    max_position_embeddings: model.contextLength,
    mlp_bias: false,
    model_type: 'llama',
    num_attention_heads: model.heads,
    num_hidden_layers: model.layers,
    num_key_value_heads: model.kvHeads,
    pretraining_tp: 1,
    rms_norm_eps: model.normEpsilon,
    rope_scaling: null,
    rope_theta: model.ropeTheta,
    tie_word_embeddings: model.tiedEmbeddings,
    torch_dtype: format === 'F32' ? 'float32' : 'bfloat16',
    use_cache: true,
    vocab_size: model.vocabSize,
  });
}

/** `generation_config.json`, which `generate` of transformers reads. */
export function formatGenerationConfig(tokens: SpecialTokens): string {
  return toJson({ _from_model_config: true, bos_token_id: tokens.bos, eos_token_id: tokens.eos });
}

/** JSON as these files have it: two spaces and a line feed at the end. */
export function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function parseObject(text: string, path: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TapestryError(
      'config-not-json',
      `${path}: expected JSON, found: ${(error as Error).message}`,
      'Download or export the model again.',
      { path },
      error,
    );
  }
  if (isObject(value)) return value;
  throw badConfig(path, 'not-json', 'the file', 'a JSON object', value);
}

function badConfig(path: string, kind: string, key: string, expected: string, value: unknown): TapestryError {
  const found = quoteName(value);
  const remedies: Readonly<Record<string, string>> = {
    unsupported: 'Choose a plain Llama model: this one would compute something else here.',
    missing: `Add "${key}", or take config.json from the export that the weights are from.`,
  };
  return new TapestryError(
    `config-${kind}`,
    `${path}: "${key}": expected ${expected}, found ${found}`,
    remedies[kind] ?? `Correct "${key}", or take config.json from the export that the weights are from.`,
    { path, key, expected, found: value },
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
