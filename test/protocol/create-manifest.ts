import test from 'ava';
import { applySetting, createManifest, settingKeys } from '../../src/protocol/create-manifest.ts';
import { TapestryError } from '../../src/protocol/errors.ts';
import { type PresetName, presets } from '../../src/protocol/presets.ts';
import { createExampleManifest, exampleVoters } from '../helpers/example-manifest.ts';

const common = { name: 'n', seed: '00'.repeat(32), voters: exampleVoters(4), heldOutHash: '00'.repeat(32) };

test('every preset makes a valid manifest with its model and its numbers', (t) => {
  for (const preset of Object.keys(presets) as PresetName[]) {
    const manifest = createManifest(preset, { ...common, rounds: 60 });
    t.deepEqual(manifest.model, presets[preset].model);
    t.is(manifest.inner.decaySteps, 60 * presets[preset].innerSteps);
    t.is(manifest.inner.warmupSteps, presets[preset].warmupSteps);
  }
});

test('a short horizon shortens the warm-up', (t) => {
  t.is(createManifest('nano', { ...common, rounds: 1 }).inner.warmupSteps, 5);
});

test('the horizon follows from overridden steps, unless it is given itself', (t) => {
  const overrides: [string, string][] = [['inner.steps', '3']];
  t.is(createManifest('nano', { ...common, rounds: 6, overrides }).inner.decaySteps, 18);
  const both: [string, string][] = [...overrides, ['inner.decaySteps', '1000']];
  t.is(createManifest('nano', { ...common, rounds: 6, overrides: both }).inner.decaySteps, 1000);
});

test('settings that only fit together are checked together', (t) => {
  const overrides: [string, string][] = [
    ['inner.sequenceLength', '128'],
    ['model.contextLength', '128'],
  ];
  t.is(createExampleManifest(4, { overrides }).inner.sequenceLength, 128);
  t.throws(() => createExampleManifest(4, { overrides: overrides.slice(0, 1) }), { instanceOf: TapestryError });
});

test("a given model takes the place of the preset's, and sequences are cut to what it can read", (t) => {
  const model = { ...presets.micro.model, contextLength: 48, tiedEmbeddings: false, dim: 64 };
  const initialBase = { kind: 'checkpoint', root: '55'.repeat(32) } as const;
  const manifest = createExampleManifest(4, { model, initialBase });
  t.deepEqual(manifest.model, model);
  t.deepEqual(manifest.initialBase, initialBase);
  t.is(manifest.inner.sequenceLength, 48);
  t.is(manifest.inner.learningRate, presets.nano.learningRate);
  const long = createExampleManifest(4, { model: { ...model, contextLength: 4096 } });
  t.is(long.inner.sequenceLength, presets.nano.sequenceLength);
});

test('true and false are read where they belong, and nothing else is', (t) => {
  const untied = applySetting(createExampleManifest(), 'model.tiedEmbeddings', 'false');
  t.is(untied.model.tiedEmbeddings, false);
  t.deepEqual(applySetting(untied, 'model.tiedEmbeddings', 'true'), createExampleManifest());
  for (const text of ['0', 'no', '', 'False']) {
    const error = t.throws(() => applySetting(untied, 'model.tiedEmbeddings', text), { instanceOf: TapestryError });
    t.is(error.code, 'setting-wrong-type', text);
  }
});

test('a tokenizer and a checkpoint can be set by their hashes', (t) => {
  const overrides: [string, string][] = [
    ['tokenizer.kind', 'huggingface'],
    ['tokenizer.hash', '44'.repeat(32)],
    ['initialBase.kind', 'checkpoint'],
    ['initialBase.root', '55'.repeat(32)],
  ];
  const manifest = createExampleManifest(4, { overrides });
  t.deepEqual(manifest.tokenizer, { kind: 'huggingface', hash: '44'.repeat(32) });
  t.deepEqual(manifest.initialBase, { kind: 'checkpoint', root: '55'.repeat(32) });
  t.throws(() => createExampleManifest(4, { overrides: overrides.slice(0, 1) }), { instanceOf: TapestryError });
});

test('a setting changes one value and nothing else', (t) => {
  const manifest = createExampleManifest();
  const changed = applySetting(manifest, 'compressor.topK', '64');
  t.is(changed.compressor.topK, 64);
  t.deepEqual(applySetting(changed, 'compressor.topK', '256'), manifest);
});

test('short names and digit groups are understood', (t) => {
  t.is(applySetting(createExampleManifest(), 'compressor.k', '64').compressor.topK, 64);
  t.is(applySetting(createExampleManifest(), 'trainDeadlineMs', '70_000').round.trainDeadlineMs, 70_000);
  t.is(applySetting(createExampleManifest(), 'name', 'other').name, 'other');
});

test('refuses an unknown setting, suggests the likely one and lists them all', (t) => {
  const error = t.throws(() => applySetting(createExampleManifest(), 'compresor.k', '64'), {
    instanceOf: TapestryError,
  });
  t.is(error.code, 'setting-unknown-key');
  t.true(error.remedy.includes('Did you mean compressor.k?'));
  for (const key of settingKeys) t.true(error.remedy.includes(key), key);
});

test('refuses what is not a number where one belongs', (t) => {
  for (const text of ['many', '', ' ', 'NaN', 'Infinity']) {
    const error = t.throws(() => applySetting(createExampleManifest(), 'compressor.k', text), {
      instanceOf: TapestryError,
    });
    t.is(error.code, 'setting-wrong-type', text);
  }
});

test('refuses a number outside its range, naming the setting', (t) => {
  const error = t.throws(() => applySetting(createExampleManifest(), 'compressor.k', '0'), {
    instanceOf: TapestryError,
  });
  t.is(error.code, 'manifest-out-of-range');
  t.true(error.message.startsWith('--set compressor.k=0: "compressor.topK": expected at least 1, found 0'));
});

test('voters cannot be set', (t) => {
  t.throws(() => applySetting(createExampleManifest(), 'voters', 'x'), { instanceOf: TapestryError });
});
