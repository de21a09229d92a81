import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type EvalReport, groupLosses } from '../../../src/cli/commands/eval.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { type CaughtContext, createCaughtContext } from '../../helpers/fake-modules.ts';
import { makeModelFolder } from '../../helpers/model-folder.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

const home = { HOME: '/nonexistent' };

/** A folder of text in two scripts, and arguments to evaluate it with a model of noise. */
async function prepare(t: ExecutionContext): Promise<{ texts: string; args: string[] }> {
  const texts = join(await makeTemporaryFolder(t), 'texts');
  await mkdir(texts);
  const russian = 'Глокая куздра штеко будланула бокра.';
  await writeFile(join(texts, 'one.txt'), 'Colourless green ideas sleep furiously.');
  const lines = [{ text: russian }, { text: 'Twas brillig, and the slithy toves' }];
  await writeFile(join(texts, 'two.jsonl'), lines.map((line) => JSON.stringify(line)).join('\n'));
  return { texts, args: ['eval', texts, '--model', await makeModelFolder(t)] };
}

async function evaluateJson(t: ExecutionContext, args: string[]): Promise<EvalReport> {
  const context = createContext();
  t.is(await runProgram([...args, '--json'], context), 0, context.err());
  return JSON.parse(context.out());
}

function createContext(signal?: AbortSignal): CaughtContext {
  return createCaughtContext({}, signal, home);
}

test('every file, every language and all together are measured, in tokens and bytes', async (t) => {
  const { texts, args } = await prepare(t);
  const { files, languages, total, ...about } = await evaluateJson(t, args);
  t.like(about, { window: 24, parameters: 12_112 });
  t.deepEqual(
    files!.map(({ name, documents, tokens, bytes }) => [name, documents, tokens, bytes]),
    [
      [join(texts, 'one.txt'), 1, 38, 38],
      [join(texts, 'two.jsonl'), 2, 66 + 33, 66 + 33],
    ],
  );
  t.deepEqual(
    languages!.map(({ name, documents, bytes }) => [name, documents, bytes]),
    [
      ['Latin', 2, 38 + 33],
      ['Cyrillic', 1, 66],
    ],
  );
  t.like(total, { name: 'total', documents: 3, tokens: 137, bytes: 137 });
  const nats = files!.reduce((sum, file) => sum + file.natsPerToken! * file.tokens, 0);
  const { natsPerToken, natsPerByte, bitsPerByte, perplexity } = total;
  t.true(Math.abs(natsPerToken! - nats / 137) < 1e-9);
  t.is(natsPerByte, natsPerToken);
  t.true(Math.abs(bitsPerByte! - natsPerByte! * Math.log2(Math.E)) < 1e-9);
  t.true(Math.abs(Math.log(perplexity!) - natsPerToken!) < 1e-9);
  t.true(natsPerToken! > 1 && natsPerToken! < 20);
});

test('people get a table, of one kind of groups if they ask for it', async (t) => {
  const { texts, args } = await prepare(t);
  const print = async (...more: string[]): Promise<string[]> => {
    const context = createContext();
    t.is(await runProgram([...args, ...more], context), 0, context.err());
    t.regex(context.err(), /^(reading +\d+ % .*\n)+$/);
    return context.out().split('\n');
  };
  const both = await print();
  t.regex(both[0]!, /^model in .*, windows of 24 tokens$/);
  t.regex(both[1]!, /^ +documents +bytes +tokens +nats\/token +nats\/byte +bits\/byte +perplexity$/);
  t.regex(both[2]!, /one\.txt +1 +38 +38( +\d+\.\d{4}){3} +\d/);
  t.deepEqual(
    both.slice(2).map((line) => line.split(' ')[0]),
    [join(texts, 'one.txt'), join(texts, 'two.jsonl'), '', 'Latin', 'Cyrillic', '', 'total', ''],
  );
  const files = await print('--by', 'file');
  t.true(files.some((line) => line.includes('one.txt')) && !files.some((line) => line.startsWith('Latin')));
  const languages = await print('--by', 'language');
  t.true(!languages.some((line) => line.includes('one.txt')) && languages.some((line) => line.startsWith('Latin')));
});

test('--by leaves the other groups out of the JSON as well', async (t) => {
  const { args } = await prepare(t);
  t.deepEqual(Object.keys(await evaluateJson(t, [...args, '--by', 'file'])).slice(3), ['files', 'total']);
  t.deepEqual(Object.keys(await evaluateJson(t, [...args, '--by', 'language'])).slice(3), ['languages', 'total']);
});

test('--sequences takes the first windows of each file, --field another field', async (t) => {
  const { texts, args } = await prepare(t);
  t.is((await evaluateJson(t, [...args, '--sequences', '1'])).total.tokens, 48);
  await writeFile(join(texts, 'two.jsonl'), '{"body": "twelve bytes"}');
  t.is((await evaluateJson(t, [...args, '--field', 'body'])).total.tokens, 38 + 11);
});

test('a document of one token has nothing to predict, which is no division by zero', async (t) => {
  const { texts, args } = await prepare(t);
  await writeFile(join(texts, 'one.txt'), 'x');
  const report = await evaluateJson(t, args);
  const nothing = { natsPerToken: null, natsPerByte: null, bitsPerByte: null, perplexity: null };
  t.like(report.files![0], { documents: 1, tokens: 0, bytes: 0, ...nothing });
  const context = createContext();
  t.is(await runProgram(args, context), 0);
  t.regex(context.out(), /one\.txt +1 +0 +0 +- +- +- +-$/m);
});

test('what is wrong with the text is said before a model is loaded', async (t) => {
  const context = createContext();
  t.is(await runProgram(['eval', '/nonexistent', '--model', '/nonexistent'], context), 1);
  t.regex(context.err(), /^tapestry-peer: Cannot read text from \/nonexistent: there is no such file or folder\./);
});

test('wrong usage', async (t) => {
  for (const args of [[], ['x', '--by', 'page'], ['x', '--sequences', '0']]) {
    t.is(await runProgram(['eval', ...args], createContext()), 2, `${args}`);
  }
});

test('Ctrl-C ends it with exit code 130 and prints no report', async (t) => {
  const { args } = await prepare(t);
  const controller = new AbortController();
  const context = createContext(controller.signal);
  const ended = runProgram([...args, '--json'], context);
  controller.abort('SIGINT');
  t.is(await ended, 130);
  t.is(context.out(), '');
});

test('groups of equal names are added up in the order they came', (t) => {
  const loss = { path: 'a', language: 'l', documents: 1, bytes: 8, tokens: 4, nats: 2 };
  const groups = groupLosses([loss, { ...loss, path: 'b', nats: 6 }, loss], ({ path }) => path);
  t.like(groups[0], { name: 'a', documents: 2, bytes: 16, tokens: 8, natsPerToken: 0.5, natsPerByte: 0.25 });
  t.like(groups[1], { name: 'b', natsPerToken: 1.5 });
});
