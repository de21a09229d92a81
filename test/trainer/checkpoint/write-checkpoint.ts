import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { computeModelLayout, type ModelConfig } from '../../../src/protocol/model.ts';
import { type Checkpoint, readCheckpoint } from '../../../src/trainer/checkpoint/read-checkpoint.ts';
import { type WriteOptions, writeCheckpoint } from '../../../src/trainer/checkpoint/write-checkpoint.ts';
import { DecodeSession } from '../../../src/trainer/decode-session.ts';
import { createByteTokenizerJson, listByteSymbols } from '../../../src/trainer/tokenizer/byte-tokenizer-json.ts';
import { asBytes } from '../../../src/trainer/vector-file.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { createNumbers } from '../helpers/numbers.ts';
import { plainLogits } from '../helpers/plain-decoder.ts';
import { readPlainSafetensors } from '../helpers/plain-safetensors.ts';
import { smallModel } from '../helpers/small-model.ts';

const exportedTokenizer = { tokenizer_class: 'PreTrainedTokenizerFast', clean_up_tokenization_spaces: false };

const bytes = { kind: 'bytes' } as const;

function makeCheckpoint(change: Partial<ModelConfig> = {}): Checkpoint {
  const model = { ...smallModel, ropeTheta: 50_000, normEpsilon: 3e-5, ...change };
  const number = createNumbers(9);
  const parameters = Float32Array.from({ length: computeModelLayout(model).length }, () => 0.4 * number());
  return { model, parameters, tokenizer: bytes };
}

async function write(t: ExecutionContext, checkpoint: Checkpoint, options: WriteOptions = {}): Promise<string> {
  const folder = join(await makeTemporaryFolder(t), 'export');
  await writeCheckpoint(folder, checkpoint, {}, options);
  return folder;
}

/** The tensors of all safetensors files of a folder. */
async function readTensors(folder: string): Promise<Map<string, { shape: number[]; values: number[] }>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.safetensors'));
  const maps = await Promise.all(files.map((name) => readPlainSafetensors(join(folder, name))));
  return new Map(maps.flatMap((map) => [...map]));
}

const tokenizerFiles = ['tokenizer.json', 'tokenizer_config.json'];
const layerTensors = [
  'input_layernorm',
  'mlp.down_proj',
  'mlp.gate_proj',
  'mlp.up_proj',
  'post_attention_layernorm',
  'self_attn.k_proj',
  'self_attn.o_proj',
  'self_attn.q_proj',
  'self_attn.v_proj',
];

for (const tiedEmbeddings of [true, false]) {
  const kind = tiedEmbeddings ? 'tied' : 'untied';

  test(`${kind}: the folder has exactly the files and tensors of LlamaForCausalLM`, async (t) => {
    const folder = await write(t, makeCheckpoint({ tiedEmbeddings }));
    const files = ['config.json', 'generation_config.json', 'model.safetensors', ...tokenizerFiles];
    t.deepEqual((await readdir(folder)).sort(), files);
    const layers = [0, 1].flatMap((layer) => layerTensors.map((name) => `model.layers.${layer}.${name}.weight`));
    const head = tiedEmbeddings ? [] : ['lm_head.weight'];
    const tensors = await readTensors(folder);
    t.deepEqual([...tensors.keys()].sort(), [...head, 'model.embed_tokens.weight', ...layers, 'model.norm.weight']);
    const shapeOf = (name: string): number[] => tensors.get(name)!.shape;
    t.deepEqual(shapeOf('model.embed_tokens.weight'), [256, 32]);
    t.deepEqual(shapeOf('model.layers.1.self_attn.k_proj.weight'), [16, 32], 'two key-value heads of eight');
    t.deepEqual(shapeOf('model.layers.1.mlp.down_proj.weight'), [32, 48]);
    t.deepEqual(shapeOf('model.layers.1.input_layernorm.weight'), [32]);
  });

  test(`${kind}: export, import and export again give identical bits, through shards too`, async (t) => {
    const checkpoint = makeCheckpoint({ tiedEmbeddings });
    const folder = await write(t, checkpoint);
    const read = await readCheckpoint(folder);
    t.deepEqual(read.model, checkpoint.model);
    t.deepEqual(read.tokenizer, bytes);
    t.deepEqual(Buffer.from(asBytes(read.parameters)), Buffer.from(asBytes(checkpoint.parameters)));
    const sharded = await write(t, read, { maxShardBytes: 10_000 });
    const again = await readCheckpoint(sharded);
    t.deepEqual(Buffer.from(asBytes(again.parameters)), Buffer.from(asBytes(checkpoint.parameters)));
    const last = await write(t, again);
    for (const name of await readdir(folder)) {
      t.deepEqual(await readFile(join(last, name)), await readFile(join(folder, name)), name);
    }
  });

  test(`${kind}: logits of the files agree with those of the graph`, async (t) => {
    const checkpoint = makeCheckpoint({ tiedEmbeddings });
    const folder = await write(t, checkpoint);
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
    const model: ModelConfig = {
      vocabSize: config.vocab_size,
      contextLength: config.max_position_embeddings,
      dim: config.hidden_size,
      layers: config.num_hidden_layers,
      heads: config.num_attention_heads,
      kvHeads: config.num_key_value_heads,
      feedForward: config.intermediate_size,
      ropeTheta: config.rope_theta,
      normEpsilon: config.rms_norm_eps,
      tiedEmbeddings: config.tie_word_embeddings,
    };
    const tensors = await readTensors(folder);
    const flat = computeModelLayout(model).tensors.flatMap(({ name }) => tensors.get(name)!.values);
    const tokens = [72, 101, 108, 108, 111, 0, 255, 7, 200];
    const expected = plainLogits(model, flat, tokens);
    const session = await DecodeSession.create(checkpoint.model, checkpoint.parameters, 1);
    let worst = 0;
    for (const [at, token] of tokens.entries()) {
      const logits = await session.append([token]);
      for (const [id, logit] of logits.entries()) worst = Math.max(worst, Math.abs(logit - expected[at]![id]!));
    }
    await session.release();
    t.true(worst < 1e-5, `largest difference ${worst}`);
    t.true(Math.max(...expected.flat()) > 1, 'logits that differ from each other');
  });
}

test('shards are filled in order up to their bound, and the index names each tensor and the total', async (t) => {
  const folder = await write(t, makeCheckpoint(), { maxShardBytes: 10_000 });
  const files = (await readdir(folder)).filter((name) => name.startsWith('model-'));
  t.is(files.length, 11);
  t.is(files[0], 'model-00001-of-00011.safetensors');
  const index = JSON.parse(await readFile(join(folder, 'model.safetensors.index.json'), 'utf8'));
  const { length } = makeCheckpoint().parameters;
  t.deepEqual(index.metadata, { total_parameters: length, total_size: 4 * length });
  for (const file of files) {
    const tensors = [...(await readPlainSafetensors(join(folder, file)))];
    const size = tensors.reduce((sum, [, { values }]) => sum + 4 * values.length, 0);
    t.true(size <= 10_000 || tensors.length === 1, `${file}: ${size}`);
    for (const [name] of tensors) t.is(index.weight_map[name], file);
  }
  t.is(Object.keys(index.weight_map).length, 20);
});

test('bf16 is rounded once and what it holds is read exactly', async (t) => {
  const checkpoint = makeCheckpoint();
  const folder = await write(t, checkpoint, { format: 'BF16' });
  t.is(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')).torch_dtype, 'bfloat16');
  const { parameters } = await readCheckpoint(folder);
  t.true(parameters.every((value, at) => Math.abs(value - checkpoint.parameters[at]!) <= 2 ** -8 * Math.abs(value)));
  t.true(parameters.some((value, at) => value !== checkpoint.parameters[at]));
  const again = await write(t, { ...checkpoint, parameters }, { format: 'BF16' });
  const file = 'model.safetensors';
  t.deepEqual(await readFile(join(again, file)), await readFile(join(folder, file)));
});

test('bytes get a tokenizer.json of their own, and zero ends a text', async (t) => {
  const folder = await write(t, makeCheckpoint());
  t.is(await readFile(join(folder, 'tokenizer.json'), 'utf8'), createByteTokenizerJson());
  const config = JSON.parse(await readFile(join(folder, 'tokenizer_config.json'), 'utf8'));
  t.deepEqual(config, { ...exportedTokenizer, model_max_length: 16 });
  const { bos_token_id, eos_token_id } = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  t.deepEqual([bos_token_id, eos_token_id], [null, 0]);
});

/** A byte-level tokenizer with a beginning and an end of text. */
async function makeTokenizer(t: ExecutionContext): Promise<string> {
  const folder = await makeTemporaryFolder(t);
  const added = ['<s>', '</s>'].map((content, at) => {
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
    return { id: 256 + at, content, ...flags };
  });
  const vocab = Object.fromEntries([...listByteSymbols(), '<s>', '</s>'].map((symbol, id) => [symbol, id]));
  const tokenizer = { ...JSON.parse(createByteTokenizerJson()), added_tokens: added };
  tokenizer.model.vocab = vocab;
  const path = join(folder, 'tokenizer.json');
  await writeFile(path, JSON.stringify(tokenizer));
  return path;
}

test('a tokenizer.json is kept byte for byte with what stands beside it; its ids go to the configuration', async (t) => {
  const path = await makeTokenizer(t);
  const beside = { 'tokenizer_config.json': '{"bos_token": "<s>"}', 'special_tokens_map.json': '{"x":1}' };
  for (const [name, text] of Object.entries(beside)) await writeFile(join(path, '..', name), text);
  const tokenizer = { kind: 'huggingface', path } as const;
  const folder = await write(t, { ...makeCheckpoint({ vocabSize: 260 }), tokenizer });
  t.deepEqual(await readFile(join(folder, 'tokenizer.json')), await readFile(path));
  for (const [name, text] of Object.entries(beside)) t.is(await readFile(join(folder, name), 'utf8'), text);
  for (const name of ['config.json', 'generation_config.json']) {
    const { bos_token_id, eos_token_id } = JSON.parse(await readFile(join(folder, name), 'utf8'));
    t.deepEqual([bos_token_id, eos_token_id], [256, 257], name);
  }
  const read = await readCheckpoint(folder);
  t.deepEqual(read.tokenizer, { kind: 'huggingface', path: join(folder, 'tokenizer.json') });
});

test('a tokenizer.json alone gets the configuration that the generic class needs', async (t) => {
  const tokenizer = { kind: 'huggingface', path: await makeTokenizer(t) } as const;
  const folder = await write(t, { ...makeCheckpoint({ vocabSize: 258 }), tokenizer });
  const config = JSON.parse(await readFile(join(folder, 'tokenizer_config.json'), 'utf8'));
  t.deepEqual(config, { ...exportedTokenizer, model_max_length: 16, eos_token: '</s>' });
});

test('weights that are not finite leave no folder, whole or in part', async (t) => {
  const checkpoint = makeCheckpoint();
  checkpoint.parameters[checkpoint.parameters.length - 1] = Number.NaN;
  const parent = await makeTemporaryFolder(t);
  const error = await t.throwsAsync(writeCheckpoint(join(parent, 'x'), checkpoint), { code: 'weights-not-finite' });
  t.regex(error!.message, /tensor "model\.norm\.weight": expected finite numbers, found NaN at value 31/);
  t.deepEqual(await readdir(parent), []);
});
