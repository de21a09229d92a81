import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runProgram } from '../../../src/cli/program.ts';
import { readTrainingCheckpoint } from '../../../src/trainer/checkpoint/checkpoint-folder.ts';
import type { RunEvent } from '../../../src/trainer/training-run.ts';
import { type CaughtContext, createCaughtContext } from '../../helpers/fake-modules.ts';
import { makeModelFolder } from '../../helpers/model-folder.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

const small = ['--preset', 'nano', '--set', 'model.layers=1', '--set', 'inner.sequenceLength=32'];

interface Bench {
  readonly folder: string;
  readonly out: string;
  readonly flags: readonly string[];
}

async function createBench(t: ExecutionContext): Promise<Bench> {
  const folder = await makeTemporaryFolder(t);
  const text = join(folder, 'text.txt');
  await writeFile(text, 'The quick brown fox jumps over the lazy dog.\n'.repeat(2000));
  const out = join(folder, 'run');
  return { folder, out, flags: ['--home', join(folder, 'home'), '--data', text, '--out', out, ...small] };
}

function train(context: CaughtContext, ...flags: string[]): Promise<number> {
  return runProgram(['train', '--json', ...flags], context);
}

function readEvents(context: CaughtContext): (RunEvent & Record<string, unknown>)[] {
  return context
    .out()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

async function readModel(out: string, step: number): Promise<Buffer[]> {
  const folder = join(out, 'checkpoints', `step-${String(step).padStart(8, '0')}`);
  return Promise.all(['model.safetensors', 'optimizer.safetensors'].map((name) => readFile(join(folder, name))));
}

test('a run measures, keeps checkpoints, learns, and draws its curve', async (t) => {
  const { out, flags } = await createBench(t);
  const context = createCaughtContext();
  t.is(await train(context, ...flags, '--steps', '40', '--every', '10'), 0);
  const events = readEvents(context);
  const measured = events.filter(({ event }) => event === 'run.measured');
  t.deepEqual(
    measured.map(({ step }) => step),
    [0, 10, 20, 30, 40],
  );
  const losses = measured.map(({ validationLoss }) => validationLoss as number);
  t.true(losses[4]! < losses[0]! - 1, `${losses}`);
  t.like(events.at(-1), { event: 'run.done', step: 40, validationLoss: losses[4]! });
  const lines = (await readFile(join(out, 'losses.jsonl'), 'utf8')).trimEnd().split('\n');
  t.deepEqual(
    lines.map((line) => JSON.parse(line).step),
    [0, 10, 20, 30, 40],
  );
  t.regex(await readFile(join(out, 'losses.svg'), 'utf8'), /^<svg .*validation/s);
  t.false(existsSync(join(out, 'working')));
});

test('old checkpoints go, and what is kept are the newest, the milestones and the best', async (t) => {
  const { out, flags } = await createBench(t);
  t.is(await train(createCaughtContext(), ...flags, '--steps', '40', '--every', '5', '--keep-last', '1'), 0);
  const names = await readdir(join(out, 'checkpoints'));
  t.deepEqual(names.sort(), ['step-00000005', 'step-00000010', 'step-00000020', 'step-00000035', 'step-00000040']);
});

test('an interrupted run ends with a checkpoint and goes on to the same bits', async (t) => {
  const { out, flags, folder } = await createBench(t);
  const options = ['--steps', '60', '--every', '30'];
  const whole = join(folder, 'whole');
  t.is(await train(createCaughtContext(), ...flags, '--out', whole, ...options), 0);

  const controller = new AbortController();
  const context = createCaughtContext({}, controller.signal);
  const write = context.stdout.write.bind(context.stdout);
  context.stdout.write = ((text: string) => {
    if (text.includes('"step":30')) controller.abort('SIGINT');
    return write(text);
  }) as typeof context.stdout.write;
  t.is(await train(context, ...flags, ...options), 130);
  t.deepEqual(await readdir(join(out, 'checkpoints')), ['step-00000030']);
  const again = createCaughtContext();
  t.is(await train(again, ...flags, ...options), 0);
  t.like(readEvents(again)[0], { event: 'run.started', step: 30 });
  t.deepEqual(await readModel(out, 60), await readModel(whole, 60));
  const [lines, expected] = await Promise.all([out, whole].map((path) => readFile(join(path, 'losses.jsonl'), 'utf8')));
  const withoutSpeed = (text: string): string => text.replaceAll(/"tokensPerSecond":[\d.]+/g, '');
  t.is(withoutSpeed(lines!), withoutSpeed(expected!));

  const finished = createCaughtContext();
  t.is(await train(finished, ...flags, ...options), 0);
  t.like(readEvents(finished).at(-1), { event: 'run.done', step: 60 });
});

test('a run goes on with its own options alone, and says which one differs', async (t) => {
  const { flags } = await createBench(t);
  const options = ['--steps', '10', '--every', '5'];
  t.is(await train(createCaughtContext(), ...flags, ...options), 0);
  const context = createCaughtContext();
  t.is(await train(context, ...flags, ...options, '--seed', 'other'), 1);
  t.regex(context.err(), /expected a run with seed "[0-9a-f]{64}", found one with "[0-9a-f]{64}"/);
});

test('--model goes on from the weights of a folder', async (t) => {
  const { out, flags } = await createBench(t);
  const model = await makeModelFolder(t);
  const context = createCaughtContext();
  t.is(await train(context, ...flags.slice(0, 6), '--model', model, '--steps', '1', '--every', '1'), 0, context.err());
  const trained = await readTrainingCheckpoint(join(out, 'checkpoints', 'step-00000001'));
  t.is(trained.moments.adamStep, 1);
  t.true((trained.settings.start as string).includes(model));
});

test('what does not fit into memory is refused before anything is made', async (t) => {
  const { out, flags } = await createBench(t);
  const context = { ...createCaughtContext(), memoryBytes: 1e8 };
  t.is(await train(context, ...flags), 1);
  t.regex(context.err(), /Training 0\.\d M parameters takes about 0\.\d GiB of memory; 0\.1 GiB are free\./);
  t.false(existsSync(join(out, 'data')));
});

test('text that is missing is named, in two lines', async (t) => {
  const { folder, out } = await createBench(t);
  const context = createCaughtContext();
  const missing = join(folder, 'missing.txt');
  t.is(await train(context, '--home', folder, '--data', missing, '--out', out, ...small), 1);
  t.is(context.err().trimEnd().split('\n').length, 2);
  t.true(context.err().includes(missing));
});
