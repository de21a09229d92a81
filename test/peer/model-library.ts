import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { findModelFolder, importModel, listModels } from '../../src/peer/model-library.ts';
import { toHex } from '../../src/protocol/hex.ts';
import { computeInitialBase } from '../../src/protocol/initial-base.ts';
import { computeMerkleRoot } from '../../src/protocol/merkle.ts';
import { readCheckpoint } from '../../src/trainer/checkpoint/read-checkpoint.ts';
import { type WriteOptions, writeCheckpoint } from '../../src/trainer/checkpoint/write-checkpoint.ts';
import { asBytes } from '../../src/trainer/vector-file.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';
import { smallModel } from '../trainer/helpers/small-model.ts';

const parameters = computeInitialBase(smallModel, new Uint8Array(32));

/** A folder of somebody else's model, and a home that is not there yet. */
async function prepare(t: ExecutionContext, options: WriteOptions = {}): Promise<{ source: string; home: string }> {
  const folder = await makeTemporaryFolder(t);
  const source = join(folder, 'their model');
  await writeCheckpoint(source, { model: smallModel, parameters, tokenizer: { kind: 'bytes' } }, {}, options);
  return { source, home: join(folder, 'home') };
}

test('an imported model is a float32 copy in the home, with its root', async (t) => {
  const { source, home } = await prepare(t, { format: 'BF16', maxShardBytes: 10_000 });
  const imported = await importModel(home, source);
  const folder = join(home, 'models', 'their-model');
  const read = await readCheckpoint(folder);
  t.deepEqual(read.parameters, (await readCheckpoint(source)).parameters);
  t.deepEqual(imported, {
    name: 'their-model',
    folder,
    model: smallModel,
    parameters: parameters.length,
    tensors: 20,
    tokenizer: { kind: 'bytes' },
    root: toHex(computeMerkleRoot(asBytes(read.parameters))),
  });
  t.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.safetensors')),
    ['model.safetensors'],
  );
  t.is(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')).torch_dtype, 'float32');
});

test('a name is taken once, and cannot lead out of the folder', async (t) => {
  const { source, home } = await prepare(t);
  await importModel(home, source, 'mine');
  const taken = await t.throwsAsync(importModel(home, source, 'mine'), { code: 'folder-taken' });
  t.regex((taken as Error & { remedy: string }).remedy, /--name/);
  for (const name of ['', '../x', '.hidden', 'a/b', 'x'.repeat(65)]) {
    await t.throwsAsync(importModel(home, source, name), { code: 'model-name' }, name);
  }
  t.deepEqual(await readdir(join(home, 'models')), ['mine']);
});

test('a model that is refused leaves nothing in the home', async (t) => {
  const { source, home } = await prepare(t);
  const bytes = await readFile(join(source, 'model.safetensors'));
  await writeFile(join(source, 'model.safetensors'), bytes.subarray(0, -4));
  await t.throwsAsync(importModel(home, source), { code: 'safetensors-truncated' });
  await t.throwsAsync(readdir(home), { code: 'ENOENT' });
});

test('models are listed by name; one that is damaged says why', async (t) => {
  const { source, home } = await prepare(t);
  t.deepEqual(await listModels(home), []);
  const { root } = await importModel(home, source, 'b');
  await importModel(home, source, 'a');
  await rm(join(home, 'models', 'a', 'config.json'));
  const [a, b] = await listModels(home);
  t.like(a, {
    name: 'a',
    model: null,
    problem: `${join(home, 'models', 'a')}: expected the folder of a model, found no readable config.json in it`,
  });
  t.like(b, { name: 'b', model: smallModel, parameters: parameters.length, root, problem: null });
});

test('--model is a name before it is a folder, and says which names there are', async (t) => {
  const { source, home } = await prepare(t);
  await t.throwsAsync(findModelFolder(home, 'mine'), { code: 'model-missing', message: /^mine: expected the name/ });
  await importModel(home, source, 'mine');
  t.is(await findModelFolder(home, 'mine'), join(home, 'models', 'mine'));
  t.is(await findModelFolder(home, source), source);
  const error = await t.throwsAsync(findModelFolder(home, 'yours'), { code: 'model-missing' });
  t.is((error as Error & { remedy: string }).remedy, 'Imported models: mine.');
});
