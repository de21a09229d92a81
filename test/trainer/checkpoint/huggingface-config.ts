import test from 'ava';
import { TapestryError } from '../../../src/protocol/errors.ts';
import type { ModelConfig } from '../../../src/protocol/model.ts';
import {
  formatGenerationConfig,
  formatHuggingFaceConfig,
  parseHuggingFaceConfig,
} from '../../../src/trainer/checkpoint/huggingface-config.ts';

const model: ModelConfig = {
  vocabSize: 300,
  contextLength: 64,
  dim: 48,
  layers: 3,
  heads: 6,
  kvHeads: 2,
  feedForward: 80,
  ropeTheta: 500_000,
  normEpsilon: 2e-5,
  tiedEmbeddings: false,
};

/** The least that `LlamaConfig` needs to say which model it is. */
const least = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  vocab_size: 1000,
};

function parse(config: object): ModelConfig {
  return parseHuggingFaceConfig(JSON.stringify(config), 'config.json');
}

test('a configuration that was written is read again, tied and untied', (t) => {
  for (const tiedEmbeddings of [true, false]) {
    const text = formatHuggingFaceConfig({ ...model, tiedEmbeddings }, { bos: 1, eos: 2 }, 'F32');
    t.deepEqual(parseHuggingFaceConfig(text, 'config.json'), { ...model, tiedEmbeddings });
  }
});

test('what is written are the keys of LlamaConfig', (t) => {
  t.deepEqual(JSON.parse(formatHuggingFaceConfig(model, { bos: null, eos: 0 }, 'BF16')), {
    architectures: ['LlamaForCausalLM'],
    attention_bias: false,
    attention_dropout: 0,
    bos_token_id: null,
    eos_token_id: 0,
    head_dim: 8,
    hidden_act: 'silu',
    hidden_size: 48,
    initializer_range: 0.02,
    intermediate_size: 80,
    max_position_embeddings: 64,
    mlp_bias: false,
    model_type: 'llama',
    num_attention_heads: 6,
    num_hidden_layers: 3,
    num_key_value_heads: 2,
    pretraining_tp: 1,
    rms_norm_eps: 2e-5,
    rope_scaling: null,
    rope_theta: 500_000,
    tie_word_embeddings: false,
    torch_dtype: 'bfloat16',
    use_cache: true,
    vocab_size: 300,
  });
  const generation = JSON.parse(formatGenerationConfig({ bos: 1, eos: 2 }));
  t.deepEqual(generation, { _from_model_config: true, bos_token_id: 1, eos_token_id: 2 });
});

test('what is missing is what transformers takes for it', (t) => {
  t.deepEqual(parse(least), {
    vocabSize: 1000,
    contextLength: 2048,
    dim: 64,
    layers: 2,
    heads: 4,
    kvHeads: 4,
    feedForward: 128,
    ropeTheta: 10_000,
    normEpsilon: 1e-6,
    tiedEmbeddings: false,
  });
});

test('the base of the rotary embedding is read from where newer files have it', (t) => {
  t.is(parse({ ...least, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } }).ropeTheta, 5e5);
  t.is(parse({ ...least, rope_scaling: { type: 'default' }, rope_theta: 2e4 }).ropeTheta, 2e4);
  t.is(parse({ ...least, rope_scaling: null, rope_theta: 1e6 }).ropeTheta, 1e6);
});

test('keys that change nothing are passed over', (t) => {
  const harmless = {
    _name_or_path: 'x',
    transformers_version: '4.40.0',
    attention_dropout: 0.1,
    torch_dtype: 'float16',
    layer_types: ['full_attention', 'full_attention'],
    quantization_config: null,
    pretraining_tp: 1,
    head_dim: 16,
  };
  t.deepEqual(parse({ ...least, ...harmless }), parse(least));
});

test('mistral is the same computation where its window sees everything', (t) => {
  const mistral = { ...least, model_type: 'mistral', architectures: ['MistralForCausalLM'], num_key_value_heads: 2 };
  t.is(parse({ ...mistral, sliding_window: null }).kvHeads, 2);
  t.is(parse({ ...mistral, sliding_window: 512, max_position_embeddings: 512 }).contextLength, 512);
  t.is(parse({ ...mistral, max_position_embeddings: 4096 }).contextLength, 4096);
  const wide = { ...mistral, num_attention_heads: 16, num_key_value_heads: undefined, sliding_window: null };
  t.is(parse(wide).kvHeads, 8, 'its default');
  const narrow = { ...mistral, sliding_window: 511, max_position_embeddings: 512 };
  t.throws(() => parse(narrow), { message: /"sliding_window": expected null, or at least .* = 512, found 511/ });
  t.throws(() => parse(mistral), { message: /"sliding_window"/ }, 'its default context is longer than its window');
});

const refused: [title: string, change: object, code: string, said: RegExp][] = [
  [
    'another family',
    { model_type: 'gpt2' },
    'unsupported',
    /"model_type": expected one of llama, mistral, found "gpt2"/,
  ],
  ['a family called like a method', { model_type: 'toString' }, 'unsupported', /"model_type"/],
  ['no family', { model_type: undefined }, 'unsupported', /"model_type": .*, found nothing/],
  ['another head', { architectures: ['LlamaForSequenceClassification'] }, 'unsupported', /"architectures"/],
  [
    'scaled positions',
    { rope_scaling: { type: 'linear', factor: 2 } },
    'unsupported',
    /"rope_scaling": .*"linear","factor":2/,
  ],
  [
    'scaled positions, newer',
    { rope_parameters: { rope_type: 'llama3', rope_theta: 5e5 } },
    'unsupported',
    /"rope_parameters": .*llama3/,
  ],
  ['a factor without a type', { rope_scaling: { factor: 2 } }, 'unsupported', /"rope_scaling": .*"factor":2/],
  [
    'a part of each head',
    { partial_rotary_factor: 0.5 },
    'unsupported',
    /"partial_rotary_factor": expected 1, found 0.5/,
  ],
  [
    'two bases',
    { rope_theta: 1e4, rope_parameters: { rope_theta: 2e4 } },
    'unsupported',
    /"rope_parameters": .*rope_theta, 10000, found 20000/,
  ],
  ['a base that is none', { rope_theta: '10000' }, 'range', /"rope_theta": .*found "10000"/],
  ['biases of attention', { attention_bias: true }, 'unsupported', /"attention_bias": expected false, found true/],
  ['biases of the feed-forward layer', { mlp_bias: true }, 'unsupported', /"mlp_bias": expected false, found true/],
  ['another activation', { hidden_act: 'gelu' }, 'unsupported', /"hidden_act": expected "silu", found "gelu"/],
  ['quantised weights', { quantization_config: { bits: 4 } }, 'unsupported', /"quantization_config": .*"bits":4/],
  ['split layers', { pretraining_tp: 2 }, 'unsupported', /"pretraining_tp": expected 1, found 2/],
  ['wider heads', { head_dim: 32 }, 'unsupported', /"head_dim": .* = 16, found 32/],
  ['heads that do not divide', { num_attention_heads: 5 }, 'unsupported', /"num_attention_heads": .*found 5/],
  ['heads of odd width', { hidden_size: 12 }, 'unsupported', /"num_attention_heads": .*found 4/],
  [
    'key-value heads that do not divide',
    { num_key_value_heads: 3 },
    'unsupported',
    /"num_key_value_heads": .* = 4, found 3/,
  ],
  ['code of its own', { auto_map: { AutoModel: 'x.Y' } }, 'unsupported', /"auto_map"/],
  ['layers of other kinds', { layer_types: ['sliding_attention'] }, 'unsupported', /"layer_types"/],
  ['a window', { sliding_window: 128 }, 'unsupported', /"sliding_window": .*found 128/],
  ['ties that are no yes or no', { tie_word_embeddings: 'yes' }, 'unsupported', /"tie_word_embeddings": .*found "yes"/],
  [
    'no width',
    { hidden_size: undefined },
    'missing',
    /"hidden_size": expected a whole number from 2 to 65536, found nothing/,
  ],
  ['a width that is text', { hidden_size: '64' }, 'range', /"hidden_size": .*found "64"/],
  ['half a layer', { num_hidden_layers: 1.5 }, 'range', /"num_hidden_layers": .*found 1.5/],
  ['no layers', { num_hidden_layers: 0 }, 'range', /"num_hidden_layers": .*found 0/],
  ['no epsilon', { rms_norm_eps: 0 }, 'range', /"rms_norm_eps": .*found 0/],
  [
    'more parameters than there may be',
    { hidden_size: 65_536, num_hidden_layers: 512 },
    'range',
    /at most 2147483648 parameters/,
  ],
];

for (const [title, change, code, said] of refused) {
  test(`${title}: refused by name`, (t) => {
    const error = t.throws(() => parse({ ...least, ...change }), { instanceOf: TapestryError });
    t.is(error.code, `config-${code}`);
    t.regex(error.message, said);
    t.true(error.message.startsWith('config.json: "'), error.message);
  });
}

test('text that is no JSON object is refused', (t) => {
  t.throws(() => parseHuggingFaceConfig('{', 'x/config.json'), {
    code: 'config-not-json',
    message: /^x\/config.json: /,
  });
  t.throws(() => parseHuggingFaceConfig('[]', 'x/config.json'), { code: 'config-not-json', message: /found \[\]/ });
});
