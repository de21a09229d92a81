import { appendFile, mkdir, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openPack } from '../../../src/trainer/data/open-pack.ts';
import { type PackInit, type PackReport, packData } from '../../../src/trainer/data/pack-data.ts';
import type { TokenStream } from '../../../src/trainer/data/token-stream.ts';
import { loadTokenizer } from '../../../src/trainer/tokenizer/tokenizer.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { writeLetterTokenizer } from '../helpers/letter-tokenizer.ts';
import { createWords } from '../helpers/words.ts';
import { writeParquet } from '../helpers/write-parquet.ts';

/** Durable points cost a few syncs each: only where packing is interrupted are there many. */
const limits = { shardBytes: 50_000, checkpointBytes: 2 ** 24, pieceBytes: 4000 };
const manyPoints = { ...limits, checkpointBytes: 20_000 };

function makeText(seed: number, length: number): string {
  const word = createWords(seed);
  let text = '';
  while (text.length < length) text += `${word()} ${word()} ä ${word()}\n`;
  return text;
}

/** Five documents and one of nothing, in all formats. */
async function makeSources(t: ExecutionContext): Promise<{ sources: string; folder: string; init: PackInit }> {
  const root = await makeTemporaryFolder(t);
  const sources = join(root, 'sources');
  await mkdir(sources);
  const lines = [makeText(2, 30_000), '', makeText(3, 12_000)].map((text) => JSON.stringify({ text }));
  await writeFile(join(sources, 'a.txt'), makeText(1, 150_000));
  await writeFile(join(sources, 'b.jsonl'), lines.join('\n'));
  await writeFile(
    join(sources, 'c.parquet'),
    writeParquet([{ name: 'text', values: [makeText(4, 20_000), null, makeText(5, 15_000)] }], { rowsPerGroup: 2 }),
  );
  const folder = join(root, 'pack');
  return { sources, folder, init: { paths: [sources], folder, tokenizer: { kind: 'bytes' }, limits } };
}

/** Content of every file of a folder. */
async function readFolder(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, (await readFile(join(folder, name))).toString('latin1')] as const),
    ),
  );
}

function readAll(stream: TokenStream): Int32Array {
  const tokens = new Int32Array(stream.length);
  stream.read(0, tokens);
  return tokens;
}

/** Packs with an interruption at every progress, `every` calls apart; returns how often it was interrupted. */
async function packInterrupted(init: PackInit, every: number, how: 'throw' | 'abort'): Promise<[PackReport, number]> {
  for (let interruptions = 0; ; interruptions++) {
    const controller = new AbortController();
    let calls = 0;
    const onProgress = (phase: string): void => {
      if (phase !== 'pack' || ++calls < every) return;
      if (how === 'throw') throw new Error('power cut');
      controller.abort(new Error('power cut'));
    };
    try {
      return [await packData({ ...init, limits: manyPoints, onProgress, signal: controller.signal }), interruptions];
    } catch (error) {
      if ((error as Error).message !== 'power cut') throw error;
    }
  }
}

test('packs all formats into two streams that hold every byte once', async (t) => {
  const { sources, folder, init } = await makeSources(t);
  const seen: string[] = [];
  const report = await packData({ ...init, onProgress: (phase, done, of) => seen.push(`${phase} ${done <= of}`) });
  t.is(report.outcome, 'packed');
  t.deepEqual([...new Set(seen)], ['hash true', 'pack true']);
  const pack = await openPack(folder);
  const { record, training, validation } = pack;
  t.deepEqual(record, report.record);
  t.deepEqual(
    record.sources.map(({ path, documents }) => [path.slice(sources.length + 1), documents]),
    [
      ['a.txt', 1],
      ['b.jsonl', 2],
      ['c.parquet', 2],
    ],
  );
  const size = [1, 2, 3, 4, 5].reduce((sum, seed) => sum + Buffer.byteLength(makeText(seed, sizes[seed]!)), 0);
  const counted = record.sources.flatMap((source) => [source.training, source.validation]);
  t.is(
    counted.reduce((sum, { bytes }) => sum + bytes, 0),
    size,
  );
  t.is(training.length + validation.length, size + record.runs.training + record.runs.validation);
  t.is([...readAll(training)].filter((token) => token === 0).length, record.runs.training);
  // Every run of the validation part is in the text and not in the training part.
  const trained = Buffer.from(readAll(training)).toString('latin1');
  const runs = Buffer.from(readAll(validation)).toString('latin1').split('\0').slice(0, -1);
  const text = Buffer.from([1, 2, 3, 4, 5].map((seed) => makeText(seed, sizes[seed]!)).join('\0')).toString('latin1');
  t.true(runs.length > 1);
  t.true(runs.every((run) => text.includes(run) && !trained.includes(run)));
  t.true((await readdir(folder)).filter((name) => name.startsWith('training-')).length > 2);
  await pack.close();
});

const sizes: Record<number, number> = { 1: 150_000, 2: 30_000, 3: 12_000, 4: 20_000, 5: 15_000 };

test('the index says where each document lies', async (t) => {
  const { folder, init } = await makeSources(t);
  await packData(init);
  const pack = await openPack(folder);
  const documents = await pack.readDocuments(0, 5);
  t.deepEqual(
    documents.map(({ source, document }) => [source, document]),
    [
      [0, 0],
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
    ],
  );
  const third = documents[2]!.start.training;
  const tokens = new Int32Array(documents[3]!.start.training - third);
  pack.training.read(third, tokens);
  t.true(makeText(3, 12_000).startsWith(Buffer.from(tokens.subarray(0, 1000)).toString()));
  t.is(tokens.at(-1), 0);
  await t.throwsAsync(pack.readDocuments(4, 2), { instanceOf: RangeError });
  await pack.close();
});

test('a window across shards is what the whole stream says, and none goes past the end', async (t) => {
  const { folder, init } = await makeSources(t);
  await packData(init);
  const { training, close } = await openPack(folder);
  const all = readAll(training);
  for (const start of [0, 49_990, 50_000, 99_999, all.length - 50]) {
    const window = new Int32Array(50);
    training.read(start, window);
    t.deepEqual(window, all.subarray(start, start + 50));
  }
  t.throws(() => training.read(all.length - 49, new Int32Array(50)), { instanceOf: RangeError });
  t.throws(() => training.read(-1, new Int32Array(5)), { instanceOf: RangeError });
  await close();
});

for (const tokenizer of ['bytes', 'huggingface'] as const) {
  test(`an interrupted packing ends in the same bytes as one that was not: ${tokenizer}`, async (t) => {
    const { folder, init } = await makeSources(t);
    const path = join(folder, '..', 'tokenizer.json');
    await writeLetterTokenizer(path, 300);
    const source = tokenizer === 'bytes' ? ({ kind: 'bytes' } as const) : ({ kind: 'huggingface', path } as const);
    await packData({ ...init, tokenizer: source });
    const expected = await readFolder(folder);
    for (const [how, every] of [
      ['throw', 20],
      ['abort', 18],
    ] as const) {
      const again = join(folder, '..', `${how}-${every}`);
      const [report, interruptions] = await packInterrupted({ ...init, tokenizer: source, folder: again }, every, how);
      t.true(interruptions > 1, `${how} ${every}: ${interruptions}`);
      t.is(report.outcome, 'resumed');
      t.deepEqual(Object.keys(await readFolder(again)), Object.keys(expected));
      t.true(JSON.stringify(await readFolder(again)) === JSON.stringify(expected), `${how} ${every}`);
    }
  });
}

test('what was written after the last durable point does not matter', async (t) => {
  const { folder, init } = await makeSources(t);
  await packData(init);
  const expected = await readFolder(folder);
  await rm(folder, { recursive: true });
  let calls = 0;
  const stop = (): void => {
    if (++calls === 25) throw new Error('power cut');
  };
  await t.throwsAsync(packData({ ...init, limits: manyPoints, onProgress: stop }), { message: 'power cut' });
  const shards = (await readdir(folder)).filter((name) => name.endsWith('.tokens')).sort();
  await appendFile(join(folder, shards.at(-1)!), 'torn');
  await writeFile(join(folder, 'training-00099.tokens'), 'torn');
  await writeFile(join(folder, 'pack.json.tmp'), 'torn');
  const notices: string[] = [];
  t.is((await packData({ ...init, onNotice: (line) => notices.push(line) })).outcome, 'resumed');
  t.deepEqual(notices, ['Going on with an interrupted packing.']);
  t.deepEqual(Object.keys(await readFolder(folder)), Object.keys(expected));
  t.true(JSON.stringify(await readFolder(folder)) === JSON.stringify(expected));
});

test('unchanged files are not packed again, also when only their times have changed', async (t) => {
  const { sources, folder, init } = await makeSources(t);
  await packData(init);
  const before = await readFolder(folder);
  const busy = (): void => t.fail('nothing is to be done');
  t.is((await packData({ ...init, onProgress: busy, onNotice: busy })).outcome, 'reused');
  t.deepEqual(await readFolder(folder), before);
  await utimes(join(sources, 'a.txt'), 1, 1);
  t.is((await packData({ ...init, onProgress: busy, onNotice: busy })).outcome, 'reused');
  t.is((await packData({ ...init, onProgress: busy })).record.sources[0]!.mtimeMs, 1000);
});

test('a file that changed is named, and packed again', async (t) => {
  const { sources, init } = await makeSources(t);
  const notices: string[] = [];
  const pack = async (more: Partial<PackInit> = {}): Promise<string> => {
    notices.length = 0;
    return (await packData({ ...init, ...more, onNotice: (line) => notices.push(line) })).outcome;
  };
  await pack();
  const path = join(sources, 'a.txt');
  const content = await readFile(path, 'utf8');
  await appendFile(path, 'more');
  t.is(await pack(), 'packed');
  t.regex(notices[0]!, /^Packing again: .*a\.txt has \d+ bytes instead of \d+\.$/);
  await writeFile(path, `x${content.slice(1)}more`);
  t.is(await pack(), 'packed');
  t.regex(notices[0]!, /a\.txt has other content/);
  await writeFile(join(sources, 'd.md'), 'new');
  await rm(join(sources, 'b.jsonl'));
  t.is(await pack(), 'packed');
  t.regex(notices[0]!, /d\.md is new, .*b\.jsonl is gone/);
  await writeLetterTokenizer(join(sources, '..', 'tokenizer.json'), 300);
  t.is(await pack({ tokenizer: { kind: 'huggingface', path: join(sources, '..', 'tokenizer.json') } }), 'packed');
  t.regex(notices[0]!, /the tokenizer is another/);
  t.is(await pack(), 'packed');
});

test('a file that changed between two starts makes an interrupted packing start over', async (t) => {
  const { sources, folder, init } = await makeSources(t);
  const stop = (phase: string, done: number): void => {
    if (phase === 'pack' && done > 60_000) throw new Error('power cut');
  };
  await t.throwsAsync(packData({ ...init, limits: manyPoints, onProgress: stop }), { message: 'power cut' });
  await appendFile(join(sources, 'a.txt'), 'more');
  const notices: string[] = [];
  t.is((await packData({ ...init, onNotice: (line) => notices.push(line) })).outcome, 'packed');
  t.regex(notices[0]!, /starts over: .*a\.txt has/);
  const other = join(folder, '..', 'other');
  await packData({ ...init, folder: other });
  t.deepEqual(await readFolder(folder), await readFolder(other));
});

test('a file that changes while it is packed is an error', async (t) => {
  const { sources, folder, init } = await makeSources(t);
  let touched: Promise<void> | null = null;
  const change = (phase: string): void => {
    if (phase === 'pack') touched ??= appendFile(join(sources, 'b.jsonl'), '\n{"text":"more"}');
  };
  await t.throwsAsync(packData({ ...init, onProgress: change }), { code: 'data-changed', message: /b\.jsonl/ });
  await touched;
  t.deepEqual(await readdir(folder), []);
});

test('a damaged pack is packed again, and is no use to a trainer', async (t) => {
  const { folder, init } = await makeSources(t);
  await packData(init);
  const expected = await readFolder(folder);
  for (const damage of [
    () => truncate(join(folder, 'training-00001.tokens'), 100),
    () => rm(join(folder, 'validation-00000.tokens')),
    () => writeFile(join(folder, 'pack.json'), '{"format":"tapestry-pack"'),
    () => writeFile(join(folder, 'pack.json'), JSON.stringify({ format: 'tapestry-pack', version: 2 })),
  ]) {
    await damage();
    await t.throwsAsync(openPack(folder), { code: 'pack-damaged' });
    const notices: string[] = [];
    t.is((await packData({ ...init, onNotice: (line) => notices.push(line) })).outcome, 'packed');
    t.regex(notices[0]!, /^The pack is damaged/);
    t.deepEqual(await readFolder(folder), expected);
  }
  await t.throwsAsync(openPack(join(folder, 'absent')), { code: 'pack-missing' });
});

test('bad text leaves nothing behind, and a folder with other things is left alone', async (t) => {
  const { sources, folder, init } = await makeSources(t);
  await writeFile(join(sources, 'b.jsonl'), `${JSON.stringify({ text: makeText(2, 50_000) })}\nnonsense`);
  await t.throwsAsync(packData(init), { code: 'data-line', message: /b\.jsonl:2: / });
  t.deepEqual(await readdir(folder), []);
  await writeFile(join(folder, 'letters.txt'), 'mine');
  await t.throwsAsync(packData(init), { code: 'pack-folder', message: /letters\.txt/ });
  t.deepEqual(await readdir(folder), ['letters.txt']);
});

test('of two blocks one validates, of one none, and no text at all is an error', async (t) => {
  const { sources, folder, init } = await makeSources(t);
  const path = join(sources, 'few.jsonl');
  const few = { ...init, paths: [path] };
  const packLines = async (...texts: string[]): Promise<[string, string, string]> => {
    await writeFile(path, texts.map((text) => `${JSON.stringify({ text })}\n`).join(''));
    const { record } = await packData(few);
    const { training, validation, close } = await openPack(folder);
    const both = [training, validation].map((stream) => Buffer.from(readAll(stream)).toString());
    await close();
    return [both[0]!, both[1]!, record.rule.kind];
  };
  t.deepEqual((await packLines('one', 'two')).slice().sort(), ['lowest', 'one\0', 'two\0']);
  t.deepEqual(await packLines('one'), ['one\0', '', 'none']);
  t.deepEqual(await packLines('one', 'one'), ['one\0one\0', '', 'none']);
  await t.throwsAsync(packLines(''), { code: 'data-empty' });
});

test('wide vocabularies take two bytes a token, and decode to the text', async (t) => {
  const { folder, init } = await makeSources(t);
  const path = join(folder, '..', 'tokenizer.json');
  await writeLetterTokenizer(path, 70_000);
  const { record } = await packData({ ...init, tokenizer: { kind: 'huggingface', path } });
  t.is(record.tokenBytes, 4);
  await writeLetterTokenizer(path, 300);
  const report = await packData({ ...init, tokenizer: { kind: 'huggingface', path } });
  t.is(report.record.tokenBytes, 2);
  const tokenizer = await loadTokenizer({ kind: 'huggingface', path });
  const { training, record: packed, close } = await openPack(folder);
  const tokens = readAll(training);
  t.is(tokens.filter((token) => token === tokenizer.separator).length, packed.runs.training);
  const first = tokens.subarray(0, tokens.indexOf(tokenizer.separator));
  t.true(makeText(1, 150_000).includes(Buffer.from(tokenizer.decode(first)).toString()));
  t.is(
    packed.sources.reduce((sum, source) => sum + source.training.tokens, 0),
    tokens.length - packed.runs.training,
  );
  await close();
});
