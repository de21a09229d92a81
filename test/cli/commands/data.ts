import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { chooseData } from '../../../src/cli/choose-data.ts';
import type { DataCheck, PackSummary } from '../../../src/cli/commands/data.ts';
import { HomeLock } from '../../../src/peer/storage/home-lock.ts';
import { assertTwoLines, type CommandEnd, runInside } from '../../helpers/run-command.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { createLetterTokenizer } from '../../trainer/helpers/letter-tokenizer.ts';

const cherokee = 'ᎣᏏᏲ ᏙᎯᏧ\n'.repeat(200);
const english = 'Hello there, how are you?\n'.repeat(300);

/** Text in two scripts, and a tokenizer that knows words of one. */
async function prepare(t: ExecutionContext): Promise<{ texts: string; tokenizer: string; out: string }> {
  const root = await makeTemporaryFolder(t);
  const texts = join(root, 'texts');
  await mkdir(texts);
  await writeFile(join(texts, 'chr.txt'), cherokee);
  await writeFile(join(texts, 'en.jsonl'), `${JSON.stringify({ body: english })}\n${JSON.stringify({ body: 'x' })}\n`);
  const tokenizer = join(root, 'tokenizer.json');
  const vocab = { '[UNK]': 0, Hello: 1, there: 2, how: 3, are: 4, you: 5, ',': 6, '?': 7, x: 8 };
  const model = { type: 'WordLevel', vocab, unk_token: '[UNK]' };
  const added = [{ id: 9, content: '</s>', special: true }];
  await writeFile(tokenizer, JSON.stringify({ added_tokens: added, pre_tokenizer: { type: 'Whitespace' }, model }));
  return { texts, tokenizer, out: join(root, 'pack') };
}

async function run<T>(t: ExecutionContext, ...args: string[]): Promise<T> {
  const end = await runInside([...args, '--json']);
  t.is(end.code, 0, end.err);
  return JSON.parse(end.out) as T;
}

test('check counts documents, characters, tokens and unknowns of every file and script', async (t) => {
  const { texts, tokenizer } = await prepare(t);
  const bytes = await run<DataCheck>(t, 'data', 'check', texts, '--field', 'body');
  t.like(bytes.tokenizer, { kind: 'bytes', vocabSize: 256, separator: 0, hash: null });
  const size = Buffer.byteLength(cherokee);
  t.like(bytes.files[0], {
    path: join(texts, 'chr.txt'),
    documents: 1,
    bytes: size,
    characters: cherokee.length,
    tokens: size,
    tokensPerCharacter: size / cherokee.length,
    unknowns: 0,
    scripts: { Cherokee: 1200, Common: 400 },
  });
  t.like(bytes.files[1], { documents: 2, bytes: english.length + 1 });
  const words = await run<DataCheck>(t, 'data', 'check', texts, '--field', 'body', '--tokenizer', tokenizer);
  t.like(words.files[0], { tokens: 400, unknowns: 400 });
  t.deepEqual(
    words.languages.map(({ script, documents, tokens, unknowns }) => [script, documents, tokens, unknowns]),
    [
      ['Latin', 2, 7 * 300 + 1, 0],
      ['Cherokee', 1, 400, 400],
    ],
  );
  const letters = 300 * 19 + 1;
  t.is(words.languages[0]!.share, letters / (letters + 1200));
  t.is(words.training.bytes + words.validation.bytes, size + english.length + 1);
  t.true(words.validation.bytes > 0);
});

test('check draws a table for people', async (t) => {
  const { texts, tokenizer } = await prepare(t);
  const { out, err } = await runInside(['data', 'check', texts, '--field', 'body', '--tokenizer', tokenizer]);
  t.regex(out, /^tokenizer huggingface, 10 tokens$/m);
  t.regex(out, /chr\.txt +1 +4000 +1600 +400 +0\.250 +400 +Cherokee 100 %$/m);
  t.regex(out, /^Latin +2 +7801 +7801 +2101 +0\.269 +0 +83 %$/m);
  t.regex(out, /^validation .* \d+ %$/m);
  t.regex(err, /^reading 100 % /m);
});

test('pack makes a folder that --data takes, and does nothing the second time', async (t) => {
  const { texts, out } = await prepare(t);
  const args = ['data', 'pack', texts, '--field', 'body', '--out', out] as const;
  const first = await run<PackSummary>(t, ...args);
  t.like(first, { folder: out, outcome: 'packed', documents: 3 });
  t.is(first.training.bytes + first.validation.bytes, Buffer.byteLength(cherokee) + english.length + 1);
  t.true(first.training.length > first.training.tokens);
  t.is((await run<PackSummary>(t, ...args)).outcome, 'reused');
  t.deepEqual(await chooseData([out], 0), { kind: 'pack', folder: out });
  t.deepEqual(await chooseData([texts], 0), { kind: 'path', paths: [texts] });
  t.deepEqual(await chooseData([], 6), { kind: 'starter', kindIndex: 2 });
  const people = await runInside([...args]);
  t.regex(
    people.out,
    /^Nothing has changed: 3 documents, \d+ tokens in .*\n\d+ to train on, \d+ \(\d+ %\) to validate$/m,
  );
});

test('what cannot be packed or checked is named in two lines', async (t) => {
  const { texts, tokenizer, out } = await prepare(t);
  const fails = async (what: RegExp, remedy: RegExp, ...args: string[]): Promise<CommandEnd> => {
    const end = await runInside(['data', ...args]);
    const err = end.err.replaceAll(/^(reading|hashing|packing) .*\n/gm, '');
    assertTwoLines(t, { ...end, err }, what, remedy);
    return end;
  };
  await fails(/en\.jsonl:1: expected .* field "text"/, /--field/, 'check', texts);
  await fails(/en\.jsonl:1: /, /--field/, 'pack', texts, '--out', out);
  t.deepEqual(
    (await readdir(out)).filter((name) => !name.startsWith('lock.')),
    [],
  );
  await fails(/absent/, /Give a folder/, 'check', join(texts, 'absent'));
  await fails(/no end-of-text token/, /eos_token/, 'check', texts, '--tokenizer', await writeStopless(tokenizer));
  await fails(/expected an empty folder or a pack, found chr\.txt/, /another folder/, 'pack', texts, '--out', texts);
  const lock = new HomeLock(out);
  await fails(/Another process is packing/, /Wait/, 'pack', texts, '--out', out);
  lock.release();
  t.is((await runInside(['data', 'pack', texts])).code, 2);
});

async function writeStopless(path: string): Promise<string> {
  await writeFile(path, JSON.stringify({ ...createLetterTokenizer(300), added_tokens: [] }));
  return path;
}
