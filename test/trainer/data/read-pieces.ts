import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { listFiles } from '../../../src/trainer/data/list-files.ts';
import { firstPiece, type Piece, type PieceStart, readPieces } from '../../../src/trainer/data/read-pieces.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';
import { type ParquetColumn, type ParquetLayout, writeParquet } from '../helpers/write-parquet.ts';

async function makeFiles(t: ExecutionContext, files: Record<string, string | Uint8Array>): Promise<string> {
  const folder = await makeTemporaryFolder(t);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

async function readAll(path: string, field = 'text', from?: PieceStart, pieceBytes?: number): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for (const file of await listFiles([path])) {
    for await (const piece of readPieces(file, field, from, pieceBytes)) pieces.push(piece);
  }
  return pieces;
}

/** The documents that pieces make up; asserts that each piece follows the one before it. */
function joinPieces(t: ExecutionContext, pieces: readonly Piece[]): string[] {
  const documents: Uint8Array[][] = [];
  let open = false;
  for (const { bytes, offset, last } of pieces) {
    if (!open) documents.push([]);
    t.is(
      offset,
      documents.at(-1)!.reduce((sum, { length }) => sum + length, 0),
    );
    documents.at(-1)!.push(bytes);
    open = !last;
  }
  t.false(open);
  return documents.map((parts) => Buffer.concat(parts).toString());
}

const rows = ['one', null, '', 'ä€🙂'.repeat(40), 'five'];
const column: ParquetColumn = { name: 'text', values: rows };
const numbers: ParquetColumn = { name: 'id', values: [1n, 2n, 3n, 4n, 5n] };
const layout: ParquetLayout = { rowsPerGroup: 2 };

test('reads every kind of file below a folder, in the order of their paths; links and others are passed over', async (t) => {
  const folder = await makeFiles(t, {
    'b.txt': 'two',
    'a/z.md': 'one',
    'c.jsonl': '{"text":"three"}\r\n\n{"id":1,"text":"four"}\n{"text":""}\n{"text":"five"}',
    'd.bin': 'other',
    'e.parquet': writeParquet([column, numbers], layout),
    'empty.txt': '',
  });
  await symlink(folder, join(folder, 'loop'));
  const texts = joinPieces(t, await readAll(folder));
  t.deepEqual(texts, ['one', 'two', 'three', 'four', 'five', 'one', rows[3]!, 'five']);
  const files = await listFiles([join(folder, 'b.txt'), folder]);
  t.deepEqual(
    files.map(({ path }) => path.slice(folder.length + 1)),
    ['b.txt', 'a/z.md', 'c.jsonl', 'e.parquet'],
  );
});

test('pieces are no longer than asked, and no character is split', async (t) => {
  const text = 'aä€🙂'.repeat(50);
  const folder = await makeFiles(t, {
    'a.txt': text,
    'b.jsonl': `${JSON.stringify({ text })}\n`,
    'c.parquet': writeParquet([{ name: 'text', values: [text] }], layout),
  });
  for (const name of ['a.txt', 'b.jsonl', 'c.parquet']) {
    for (const size of [8, 13, 64]) {
      const pieces = await readAll(join(folder, name), 'text', firstPiece, size);
      t.true(pieces.length >= 500 / size, name);
      t.true(pieces.every(({ bytes }) => bytes.length <= size && !bytes.includes(0xff) && (bytes[0]! & 0xc0) !== 0x80));
      t.deepEqual(joinPieces(t, pieces), [text]);
    }
  }
});

test('from any place on come the pieces that were to come', async (t) => {
  const folder = await makeFiles(t, {
    'a.txt': 'ä'.repeat(100),
    'b.jsonl': ['x', '', 'y'.repeat(30), 'z'].map((text) => `${JSON.stringify({ text })}\n`).join('\n'),
    'c.parquet': writeParquet([column, numbers], layout),
  });
  for (const name of ['a.txt', 'b.jsonl', 'c.parquet']) {
    const all = await readAll(join(folder, name), 'text', firstPiece, 8);
    for (const [at, { place, offset }] of all.entries()) {
      t.deepEqual(await readAll(join(folder, name), 'text', { place, offset }, 8), all.slice(at), `${name} ${at}`);
    }
  }
});

test('lines of .jsonl may be longer than what is read at once', async (t) => {
  const text = 'long '.repeat(500_000);
  const folder = await makeFiles(t, { 'a.jsonl': `{"text":"x"}\n${JSON.stringify({ text })}\n{"text":"y"}\n` });
  t.deepEqual(joinPieces(t, await readAll(folder)), ['x', text, 'y']);
});

for (const [name, line] of [
  ['broken JSON', '{"text":'],
  ['no such field', '{"body":"x"}'],
  ['text that is a number', '{"text":5}'],
  ['no object', 'null'],
  ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
] as const) {
  test(`a bad line is named with its file and number: ${name}`, async (t) => {
    const bytes = Buffer.concat([Buffer.from('{"text":"fine"}\n\n'), Buffer.from(line as string), Buffer.from('\n')]);
    const folder = await makeFiles(t, { 'a.jsonl': bytes });
    const error = await t.throwsAsync(readAll(folder), { code: 'data-line' });
    t.true(error.message.startsWith(`${join(folder, 'a.jsonl')}:3: `), error.message);
  });
}

for (const codec of ['gzip', 'zstd'] as const) {
  test(`Parquet packed with ${codec} is read, and another column by its name`, async (t) => {
    const values = Array.from({ length: 50 }, (_, row) => `row ${row} `.repeat(row));
    const bytes = writeParquet([numbersOf(50), { name: 'body', values }], { rowsPerGroup: 7, codec });
    const folder = await makeFiles(t, { 'a.parquet': bytes });
    t.deepEqual(joinPieces(t, await readAll(folder, 'body')), values.slice(1));
  });
}

function numbersOf(count: number): ParquetColumn {
  return { name: 'id', values: Array.from({ length: count }, (_, row) => BigInt(row)) };
}

test('a damaged Parquet file is an error that names it, wherever it is damaged', async (t) => {
  const good = writeParquet([column, numbers], { rowsPerGroup: 2, codec: 'gzip' });
  const cases: [name: string, bytes: Uint8Array][] = [
    ['empty of meaning', Buffer.from('PAR1 and no more')],
    ['cut at the end', good.subarray(0, good.length - 5)],
    ['cut in the middle', good.subarray(0, good.length / 2)],
    [
      'a footer longer than the file',
      Buffer.concat([good.subarray(0, -8), Buffer.from([255, 255, 255, 127]), Buffer.from('PAR1')]),
    ],
    ['a page that lies', writeParquet([column], { rowsPerGroup: 2, codec: 'gzip', lie: 2 ** 30 })],
    ['a page of zeros', Buffer.concat([good.subarray(0, 4), Buffer.alloc(60), good.subarray(64)])],
  ];
  for (const [name, bytes] of cases) {
    const folder = await makeFiles(t, { 'a.parquet': bytes });
    const error = await t.throwsAsync(readAll(folder), { code: 'data-parquet' }, name);
    t.true(error?.message.includes(join(folder, 'a.parquet')), name);
  }
  const folder = await makeFiles(t, { 'a.parquet': good });
  await t.throwsAsync(readAll(folder, 'body'), { code: 'data-parquet', message: /no column "body" among text, id/ });
  await t.throwsAsync(readAll(folder, 'id'), { code: 'data-parquet', message: /"id" holds INT64/ });
});

test('a line that is longer than any may be is refused before it is whole in memory', async (t) => {
  const folder = await makeFiles(t, { 'a.jsonl': '{"text":"x"}\n' });
  await truncate(join(folder, 'a.jsonl'), 2 ** 26 + 100);
  await t.throwsAsync(readAll(folder), { code: 'data-line', message: /a\.jsonl:2: expected at most 67108864 bytes/ });
});

test('a file that becomes shorter while it is read, or is gone, is named', async (t) => {
  const folder = await makeFiles(t, { 'a.txt': 'some text' });
  const [file] = await listFiles([folder]);
  const reading = async (): Promise<void> => {
    for await (const _ of readPieces({ ...file!, size: 100 }, 'text'));
  };
  await t.throwsAsync(reading(), { code: 'data-changed', message: /a\.txt/ });
  await rm(join(folder, 'a.txt'));
  await t.throwsAsync(reading(), { code: 'data-missing', message: /a\.txt/ });
});

test('says what is wrong with a path that gives no text', async (t) => {
  const folder = await makeFiles(t, { 'a.bin': 'x', 'empty.txt': '', 'sub/b.pdf': 'x' });
  await t.throwsAsync(listFiles([join(folder, 'absent')]), { code: 'data-missing', message: /absent/ });
  await t.throwsAsync(listFiles([join(folder, 'a.bin')]), { code: 'data-kind' });
  await t.throwsAsync(listFiles([join(folder, 'empty.txt')]), { code: 'data-empty', message: /empty\.txt/ });
  await t.throwsAsync(listFiles([join(folder, 'sub')]), { code: 'data-empty', message: /sub/ });
});
