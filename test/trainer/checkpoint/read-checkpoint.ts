import { readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { TapestryError } from '../../../src/protocol/errors.ts';
import { computeModelLayout, type ModelConfig } from '../../../src/protocol/model.ts';
import { readCheckpoint, summarizeCheckpoint } from '../../../src/trainer/checkpoint/read-checkpoint.ts';
import { type WriteOptions, writeCheckpoint } from '../../../src/trainer/checkpoint/write-checkpoint.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { createNumbers } from '../helpers/numbers.ts';
import { changeHeader, makeSafetensors, readPlainSafetensors } from '../helpers/plain-safetensors.ts';
import { smallModel } from '../helpers/small-model.ts';

const shardBytes = 10_000;

/** A folder with a model of random weights. */
async function makeModel(
  t: ExecutionContext,
  change: Partial<ModelConfig> = {},
  options: WriteOptions = {},
): Promise<{ folder: string; file: (name: string) => string; parameters: Float32Array }> {
  const folder = join(await makeTemporaryFolder(t), 'model');
  const model = { ...smallModel, ...change };
  const parameters = Float32Array.from({ length: computeModelLayout(model).length }, createNumbers(5));
  await writeCheckpoint(folder, { model, parameters, tokenizer: { kind: 'bytes' } }, { note: 'a' }, options);
  return { folder, file: (name) => join(folder, name), parameters };
}

/** config.json, an index, or a tokenizer. */
interface JsonFile {
  weight_map: Record<string, unknown>;
  [key: string]: unknown;
}

async function changeJson(path: string, change: (value: JsonFile) => void): Promise<void> {
  const value = JSON.parse(await readFile(path, 'utf8'));
  change(value);
  await writeFile(path, JSON.stringify(value));
}

/** A file of one float32 tensor of ones. */
function makeOnes(name: string, shape: number[]): Uint8Array {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1);
  const entry = { dtype: 'F32', shape, data_offsets: [0, values.byteLength] };
  return makeSafetensors({ [name]: entry }, new Uint8Array(values.buffer));
}

/** Adds a file to the index of a sharded model. */
async function addShard(
  file: (name: string) => string,
  name: string,
  bytes: Uint8Array,
  tensor: string,
): Promise<void> {
  await writeFile(file(name), bytes);
  await changeJson(file('model.safetensors.index.json'), (index) => {
    index.weight_map[tensor] = name;
  });
}

async function refuses(t: ExecutionContext, folder: string, code: string, said: RegExp): Promise<TapestryError> {
  const error = await t.throwsAsync(readCheckpoint(folder), { instanceOf: TapestryError });
  t.is(error.code, code, error.message);
  t.regex(error.message, said);
  t.not(error.remedy, '');
  return error;
}

test('old exports carry buffers that follow from the configuration; they are passed over', async (t) => {
  const { folder, file, parameters } = await makeModel(t, {}, { maxShardBytes: shardBytes });
  const name = 'model.layers.0.self_attn.rotary_emb.inv_freq';
  await addShard(file, 'old.safetensors', makeOnes(name, [4]), name);
  t.deepEqual((await readCheckpoint(folder)).parameters, parameters);
});

test('a tied model may carry its embedding once more, and nothing else in its place', async (t) => {
  const { folder, file, parameters } = await makeModel(t, {}, { maxShardBytes: shardBytes });
  const tensors = await readPlainSafetensors(file('model-00001-of-00011.safetensors'));
  const embedding = Float32Array.from(tensors.get('model.embed_tokens.weight')!.values);
  const entry = { dtype: 'F32', shape: [256, 32], data_offsets: [0, embedding.byteLength] };
  const bytes = makeSafetensors({ 'lm_head.weight': entry }, new Uint8Array(embedding.buffer));
  await addShard(file, 'head.safetensors', bytes, 'lm_head.weight');
  t.deepEqual((await readCheckpoint(folder)).parameters, parameters);

  await writeFile(file('head.safetensors'), makeOnes('lm_head.weight', [256, 32]));
  await refuses(t, folder, 'weights-tied', /head\.safetensors: expected lm_head\.weight .*found another value 0/);
  await writeFile(file('head.safetensors'), makeOnes('lm_head.weight', [32, 256]));
  await refuses(t, folder, 'weights-tied', /the shape \[32, 256\]/);
});

test('one file counts before shards, as in transformers', async (t) => {
  const { folder, file, parameters } = await makeModel(t);
  await writeFile(file('model.safetensors.index.json'), '{"weight_map": 1}');
  t.deepEqual((await readCheckpoint(folder)).parameters, parameters);
});

test('without tokenizer.json a vocabulary of 256 is bytes, any other needs one', async (t) => {
  const bytes = await makeModel(t);
  await rm(bytes.file('tokenizer.json'));
  t.deepEqual((await readCheckpoint(bytes.folder)).tokenizer, { kind: 'bytes' });
  const other = await makeModel(t, { vocabSize: 300 });
  t.deepEqual((await readCheckpoint(other.folder)).tokenizer, { kind: 'bytes' }, 'a vocabulary may be padded');
  await rm(other.file('tokenizer.json'));
  await refuses(t, other.folder, 'tokenizer-missing', /a tokenizer\.json for the vocabulary of 300, found none/);
});

test('bytes are known again after transformers has saved their tokenizer with a template of its own', async (t) => {
  const { folder, file } = await makeModel(t);
  const single = [{ Sequence: { id: 'A', type_id: 0 } }];
  await changeJson(file('tokenizer.json'), (json) => {
    json.post_processor = { type: 'TemplateProcessing', single, pair: [], special_tokens: {} };
  });
  t.deepEqual((await readCheckpoint(folder)).tokenizer, { kind: 'bytes' });
});

test('a tokenizer of another vocabulary is refused', async (t) => {
  const { folder, file } = await makeModel(t, { vocabSize: 200 });
  await refuses(t, folder, 'tokenizer-vocabulary', /ids below the model's vocabulary of 200, found ids up to 255/);
  await writeFile(file('tokenizer.json'), '{}');
  await refuses(t, folder, 'tokenizer-invalid', /tokenizer\.json/);
});

test('a summary reads no weights', async (t) => {
  const { folder, file } = await makeModel(t);
  const bytes = await readFile(file('model.safetensors'));
  bytes.fill(0xff, bytes.length - 4);
  await writeFile(file('model.safetensors'), bytes);
  t.deepEqual(await summarizeCheckpoint(folder), { model: smallModel, metadata: { format: 'pt', note: 'a' } });
  await refuses(t, folder, 'safetensors-not-finite', /tensor "model\.norm\.weight", found NaN at value 31/);
});

test('a folder that is none, or holds no weights, is named', async (t) => {
  const { folder, file } = await makeModel(t);
  await refuses(t, join(folder, 'none'), 'checkpoint-missing', /none: expected the folder of a model/);
  await rm(file('model.safetensors'));
  const error = await refuses(
    t,
    folder,
    'weights-missing',
    /expected model\.safetensors or .*index\.json, found neither/,
  );
  t.regex(error.remedy, /pytorch_model\.bin/);
});

test('a truncated file is refused', async (t) => {
  const { folder, file } = await makeModel(t);
  await truncate(file('model.safetensors'), 50_000);
  await refuses(t, folder, 'safetensors-truncated', /model\.safetensors: expected \d+ bytes of data/);
});

test('a tensor that is missing, unexpected or of another shape is named with its shape', async (t) => {
  const norm = 'model.layers.1.input_layernorm.weight';
  const missing = await makeModel(t);
  await changeHeader(missing.file('model.safetensors'), (header) => {
    header['model.layers.1.input_layernorm.bias'] = header[norm]!;
    delete header[norm];
  });
  await refuses(
    t,
    missing.folder,
    'weights-missing',
    /tensor model\.layers\.1\.input_layernorm\.weight \[32\], found none/,
  );

  const shape = await makeModel(t);
  await changeHeader(shape.file('model.safetensors'), (header) => {
    header['model.layers.0.self_attn.k_proj.weight']!.shape = [32, 16];
  });
  await refuses(t, shape.folder, 'weights-shape', /k_proj\.weight \[16, 32\], found \[32, 16\]/);

  const extra = await makeModel(t, { layers: 3 });
  await changeJson(extra.file('config.json'), (config) => {
    config.num_hidden_layers = 2;
  });
  await refuses(
    t,
    extra.folder,
    'weights-unexpected',
    /found tensor "model\.layers\.2\.input_layernorm\.weight" \[32\]/,
  );
});

test('an untied model without its output matrix says which key decides', async (t) => {
  const { folder, file } = await makeModel(t);
  await changeJson(file('config.json'), (config) => {
    config.tie_word_embeddings = false;
  });
  const error = await refuses(t, folder, 'weights-missing', /tensor lm_head\.weight \[256, 32\], found none/);
  t.regex(error.remedy, /"tie_word_embeddings" to true/);
});

const indexFile = 'model.safetensors.index.json';
const first = 'model-00001-of-00011.safetensors';
const badIndexes: [title: string, change: (index: JsonFile) => void, said: RegExp][] = [
  [
    'points out of the folder',
    (index) => Object.assign(index.weight_map, { a: '../x.safetensors' }),
    /"\.\.\/x\.safetensors" for tensor "a"/,
  ],
  ['names an absolute path', (index) => Object.assign(index.weight_map, { a: '/x.safetensors' }), /"\/x\.safetensors"/],
  [
    'names a path of Windows',
    (index) => Object.assign(index.weight_map, { a: '..\\x.safetensors' }),
    /x\.safetensors" for/,
  ],
  ['names a file of another kind', (index) => Object.assign(index.weight_map, { a: 'x.bin' }), /"x\.bin"/],
  ['names no text', (index) => Object.assign(index.weight_map, { a: 5 }), /file 5 for tensor "a"/],
  ['has no map', (index) => Object.assign(index, { weight_map: [] }), /"weight_map": \[\]/],
  [
    'names a tensor that no file has',
    (index) => Object.assign(index.weight_map, { a: first }),
    /tensor "a" in model-00001/,
  ],
  [
    'leaves a tensor out',
    (index) => delete index.weight_map['model.norm.weight'],
    /tensor "model\.norm\.weight" in no file, found it in/,
  ],
  [
    'names another file for a tensor',
    (index) => Object.assign(index.weight_map, { 'model.norm.weight': first }),
    /"model\.norm\.weight" in model-00001.*found it in/,
  ],
];

for (const [title, change, said] of badIndexes) {
  test(`an index that ${title} is refused`, async (t) => {
    const { folder, file } = await makeModel(t, {}, { maxShardBytes: shardBytes });
    await changeJson(file(indexFile), change);
    await refuses(t, folder, 'weights-index', said);
  });
}

test('an index that is no JSON, a shard that is missing and a tensor in two shards are named', async (t) => {
  const { folder, file } = await makeModel(t, {}, { maxShardBytes: shardBytes });
  const name = 'model.norm.weight';
  await addShard(file, 'twice.safetensors', makeOnes(name, [32]), name);
  await changeJson(file(indexFile), (index) => {
    index.weight_map.other = 'model-00011-of-00011.safetensors';
  });
  await refuses(t, folder, 'weights-duplicate', /tensor "model\.norm\.weight" in one file, found it in .* too/);
  await rename(file(first), file('away'));
  await refuses(t, folder, 'safetensors-unreadable', /model-00001-of-00011\.safetensors: .*ENOENT/);
  await writeFile(file(indexFile), '{');
  await refuses(t, folder, 'weights-index', /index\.json: expected a "weight_map"/);
});
