import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readDocuments } from '../../../src/trainer/data/read-documents.ts';

async function withFolder(files: Record<string, string>, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tapestry-data-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(folder, name, '..'), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const texts = (documents: readonly Uint8Array[]): string[] => documents.map((bytes) => Buffer.from(bytes).toString());

test('reads text, Markdown and JSON lines below a folder, in the order of their paths', async (t) => {
  const files = {
    'b.txt': 'two',
    'a/z.md': 'one',
    'c.jsonl': '{"text":"three"}\n\n{"id":1,"text":"four"}\n{"text":""}\n',
    'd.bin': 'other',
    'empty.txt': '',
  };
  await withFolder(files, async (folder) => {
    await symlink(folder, join(folder, 'loop'));
    t.deepEqual(texts(await readDocuments([folder])), ['one', 'two', 'three', 'four']);
    t.deepEqual(texts(await readDocuments([join(folder, 'b.txt'), join(folder, 'a')])), ['two', 'one']);
  });
});

test('the field of JSON lines can be chosen', async (t) => {
  await withFolder({ 'a.jsonl': '{"body":"ä"}' }, async (folder) => {
    t.deepEqual(texts(await readDocuments([folder], 'body')), ['ä']);
  });
});

for (const [name, line] of [
  ['broken JSON', '{"text":'],
  ['no such field', '{"body":"x"}'],
  ['text that is a number', '{"text":5}'],
  ['no object', 'null'],
] as const) {
  test(`a bad line is named with its file and number: ${name}`, async (t) => {
    await withFolder({ 'a.jsonl': `{"text":"fine"}\n${line}\n` }, async (folder) => {
      const error = await t.throwsAsync(readDocuments([folder]), { code: 'data-line' });
      t.true(error.message.startsWith(`${join(folder, 'a.jsonl')}:2: `), error.message);
    });
  });
}

test('says what is wrong with a path that gives no text', async (t) => {
  await withFolder({ 'a.bin': 'x', 'empty.txt': '', 'sub/b.pdf': 'x' }, async (folder) => {
    await t.throwsAsync(readDocuments([join(folder, 'absent')]), { code: 'data-missing', message: /absent/ });
    await t.throwsAsync(readDocuments([join(folder, 'a.bin')]), { code: 'data-kind' });
    await t.throwsAsync(readDocuments([join(folder, 'empty.txt')]), { code: 'data-empty', message: /empty\.txt/ });
    await t.throwsAsync(readDocuments([join(folder, 'sub')]), { code: 'data-empty', message: /sub/ });
  });
});
