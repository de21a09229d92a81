import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { toHex } from '../../../src/protocol/hex.ts';
import { computeInitialBase } from '../../../src/protocol/initial-base.ts';
import { computeMerkleRoot } from '../../../src/protocol/merkle.ts';
import { writeCheckpoint } from '../../../src/trainer/checkpoint/write-checkpoint.ts';
import { asBytes } from '../../../src/trainer/vector-file.ts';
import { assertTwoLines, runInside } from '../../helpers/run-command.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { smallModel } from '../../trainer/helpers/small-model.ts';

const parameters = computeInitialBase(smallModel, new Uint8Array(32));
const root = toHex(computeMerkleRoot(asBytes(parameters)));

async function prepare(t: ExecutionContext): Promise<{ source: string; home: string }> {
  const folder = await makeTemporaryFolder(t);
  const source = join(folder, 'their');
  await writeCheckpoint(source, { model: smallModel, parameters, tokenizer: { kind: 'bytes' } });
  return { source, home: join(folder, 'home') };
}

test('an import says what it found, and the model is listed afterwards', async (t) => {
  const { source, home } = await prepare(t);
  t.regex((await runInside(['models', '--home', home])).out, /no models yet\. Import one/);
  const end = await runInside(['import', source, '--home', home]);
  t.is(end.code, 0, end.err);
  t.regex(
    end.out,
    new RegExp(`imported "their": 23,712 parameters in 20 tensors\n +tokenizer +bytes\n +base +${root}\n`),
  );
  const { out } = await runInside(['models', '--home', home]);
  t.regex(out, new RegExp(`  their: 23,712 parameters, vocabulary 256, context 16, base ${root.slice(0, 16)}\n`));
});

test('--json prints one document for each', async (t) => {
  const { source, home } = await prepare(t);
  const end = await runInside(['import', source, '--home', home, '--name', 'mine', '--json']);
  const folder = join(home, 'models', 'mine');
  t.deepEqual(JSON.parse(end.out), {
    name: 'mine',
    folder,
    model: smallModel,
    parameters: parameters.length,
    tensors: 20,
    tokenizer: { kind: 'bytes', vocabSize: 256 },
    root,
  });
  const models = [{ name: 'mine', folder, model: smallModel, parameters: parameters.length, root, problem: null }];
  t.deepEqual(JSON.parse((await runInside(['models', '--home', home, '--json'])).out), { home, models });
});

test('a model that is refused takes two lines; a damaged one stays listed', async (t) => {
  const { source, home } = await prepare(t);
  await runInside(['import', source, '--home', home]);
  const taken = await runInside(['import', source, '--home', home]);
  assertTwoLines(t, taken, /their: expected no such folder, or an empty one/, /another name with --name/);
  await truncate(join(source, 'model.safetensors'), 1000);
  const cut = await runInside(['import', source, '--home', home, '--name', 'cut']);
  assertTwoLines(t, cut, /model\.safetensors: expected a header within the file of 1000 bytes/, /again/);
  await truncate(join(home, 'models', 'their', 'model.safetensors'), 1000);
  const listed = await runInside(['models', '--home', home]);
  t.is(listed.code, 0);
  t.regex(listed.out, /their: cannot be used: .*within the file of 1000 bytes/);
  t.notRegex(listed.out, /cut:/);
});
