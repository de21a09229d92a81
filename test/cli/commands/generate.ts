import { PassThrough, Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import type { GenerateReport } from '../../../src/cli/commands/generate.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { type CaughtContext, createCaughtContext } from '../../helpers/fake-modules.ts';
import { makeModelFolder } from '../../helpers/model-folder.ts';

const home = { HOME: '/nonexistent' };

function createContext(change: Partial<CaughtContext> = {}): CaughtContext {
  return { ...createCaughtContext({}, undefined, home), ...change };
}

async function generateJson(t: ExecutionContext, args: string[], context = createContext()): Promise<GenerateReport> {
  t.is(await runProgram(['generate', ...args, '--json'], context), 0, context.err());
  return JSON.parse(context.out());
}

test('text goes to stdout as it comes, and how it went to stderr', async (t) => {
  const folder = await makeModelFolder(t);
  const writes: string[] = [];
  const context = createContext();
  context.stdout.write = ((text: string) => writes.push(text) > 0) as typeof context.stdout.write;
  const args = ['--model', folder, '--prompt', 'Once', '--seed', '3', '--max-tokens', '60'];
  t.is(await runProgram(['generate', ...args], context), 0, context.err());
  t.true(writes.length > 20, `${writes.length} writes`);
  t.regex(context.err(), /^\d+ tokens, [\d.]+ a second, as many as asked for, seed 3, model in /);
  const report = await generateJson(t, args);
  t.is(writes.join(''), `${report.text}\n`);
  t.like(report, { prompt: 'Once', promptTokens: 4, tokens: 60, end: 'max-tokens', seed: 3, temperature: 0.8 });
  t.like(report, { topK: 0, topP: 1, cache: true });
  t.is(report.model, `model in ${folder}`);
  t.true(report.tokensPerSecond > 0);
});

test('the same seed gives the same text, with the cache and without; other settings others', async (t) => {
  const args = ['--model', await makeModelFolder(t), '--prompt', 'Once', '--max-tokens', '50'];
  const { text } = await generateJson(t, [...args, '--seed', '7']);
  t.is((await generateJson(t, [...args, '--seed', '7', '--no-cache'])).text, text);
  const changes = [
    ['--seed', '8'],
    ['--temperature', '0'],
    ['--top-k', '2'],
    ['--top-p', '0.2'],
    ['--temperature', '2'],
  ];
  const others = [];
  for (const change of changes) others.push((await generateJson(t, [...args, '--seed', '7', ...change])).text);
  t.is(new Set([text, ...others]).size, 1 + changes.length);
});

test('without a seed each text is another one, and tells its seed', async (t) => {
  const args = ['--model', await makeModelFolder(t), '--prompt', 'Once', '--max-tokens', '50'];
  const [first, second] = [await generateJson(t, args), await generateJson(t, args)];
  t.not(first.seed, second.seed);
  t.not(first.text, second.text);
  t.is((await generateJson(t, [...args, '--seed', `${first.seed}`])).text, first.text);
});

test('a prompt of - is read from stdin, as it is', async (t) => {
  const args = ['--model', await makeModelFolder(t), '--seed', '1', '--max-tokens', '5'];
  const context = createContext({ stdin: Readable.from([Buffer.from('Ünce upon\n')]) });
  const piped = await generateJson(t, [...args, '--prompt', '-'], context);
  t.like(piped, { prompt: 'Ünce upon\n', promptTokens: 11 });
  t.is((await generateJson(t, [...args, '--prompt', 'Ünce upon\n'])).text, piped.text);
});

test('an empty prompt begins a document', async (t) => {
  const report = await generateJson(t, ['--model', await makeModelFolder(t), '--prompt', '', '--max-tokens', '5']);
  t.like(report, { prompt: '', promptTokens: 0 });
});

test('a prompt longer than the context is used from its end, and that is said', async (t) => {
  const args = ['--model', await makeModelFolder(t), '--max-tokens', '5', '--seed', '1'];
  const context = createContext();
  const { text } = await generateJson(t, [...args, '--prompt', `${'x'.repeat(40)}${'y'.repeat(24)}`], context);
  t.is(context.err(), 'Of the 64 tokens of the prompt the model has read the last 24.\n');
  t.is((await generateJson(t, [...args, '--prompt', 'y'.repeat(24)])).text, text);
});

test('on a terminal nothing that a terminal would obey is written', async (t) => {
  const folder = await makeModelFolder(t);
  const args = [
    'generate',
    '--model',
    folder,
    '--prompt',
    'Once',
    '--seed',
    '5',
    '--temperature',
    '2',
    '--max-tokens',
    '200',
  ];
  const [plain, terminal] = [createContext(), createContext()];
  Object.assign(terminal.stdout, { isTTY: true });
  t.is(await runProgram(args, plain), 0);
  t.is(await runProgram(args, terminal), 0);
  t.regex(plain.out(), /[^\P{Cc}\n\t]/u);
  t.notRegex(terminal.out(), /[^\P{Cc}\n\t]/u);
  t.is(terminal.out(), plain.out().replaceAll(/[^\P{Cc}\n\t]/gu, '\uFFFD'));
});

test('Ctrl-C ends the text where it is, with exit code 130', async (t) => {
  const controller = new AbortController();
  const context = createCaughtContext({}, controller.signal, home);
  const write = context.stdout.write.bind(context.stdout);
  context.stdout.write = ((text: string) => {
    controller.abort('SIGINT');
    return write(text);
  }) as typeof context.stdout.write;
  const args = ['--model', await makeModelFolder(t), '--prompt', 'Once', '--seed', '3', '--max-tokens', '1000000'];
  t.is(await runProgram(['generate', ...args], context), 130);
  t.true(context.out().endsWith('\n'));
  t.regex(context.err(), / stopped, seed 3/);
});

test('Ctrl-C ends waiting for stdin too', async (t) => {
  const controller = new AbortController();
  const context = { ...createCaughtContext({}, controller.signal, home), stdin: new PassThrough() };
  const ended = runProgram(['generate', '--model', '/nonexistent', '--prompt', '-'], context);
  setImmediate(() => controller.abort('SIGINT'));
  t.is(await ended, 130);
});

const misused: [args: string[], said: RegExp][] = [
  [[], /required option '--prompt <text>' not specified/],
  [['--temperature', '-1'], /Expected a number from 0 to 1000/],
  [['--temperature', 'warm'], /Expected a number from 0 to 1000/],
  [['--top-p', '0'], /Expected a number from 1e-9 to 1/],
  [['--top-p', '1.5'], /Expected a number from 1e-9 to 1/],
  [['--top-k', '-1'], /Expected a whole number/],
  [['--max-tokens', '0'], /Expected a whole number from 1/],
  [['--seed', '1.5'], /Expected a whole number/],
];

test('settings out of range are wrong usage', async (t) => {
  for (const [args, said] of misused) {
    const context = createContext();
    t.is(
      await runProgram(['generate', ...(args.length === 0 ? [] : ['--prompt', 'x']), ...args], context),
      2,
      `${args}`,
    );
    t.regex(context.err(), said);
    t.is(context.out(), '');
  }
});
