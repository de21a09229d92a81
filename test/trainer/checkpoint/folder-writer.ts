import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { TapestryError } from '../../../src/protocol/errors.ts';
import { writeFolderWhole } from '../../../src/trainer/checkpoint/folder-writer.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

const fill = (folder: string): Promise<void> => writeFile(join(folder, 'a'), 'new');

test('a folder has its name only once it is whole', async (t) => {
  const parent = await makeTemporaryFolder(t);
  await writeFolderWhole(join(parent, 'deep', 'x'), async (folder) => {
    await fill(folder);
    t.deepEqual(await readdir(join(parent, 'deep')), ['.x.partial']);
  });
  t.deepEqual(await readdir(join(parent, 'deep')), ['x']);
  t.is(await readFile(join(parent, 'deep', 'x', 'a'), 'utf8'), 'new');
});

test('an empty folder may be there, and a path may end in a slash', async (t) => {
  const parent = await makeTemporaryFolder(t);
  await mkdir(join(parent, 'x'));
  await writeFolderWhole(`${join(parent, 'x')}/`, fill);
  t.deepEqual(await readdir(join(parent, 'x')), ['a']);
});

test('what an interrupted attempt has left does not get into the folder', async (t) => {
  const parent = await makeTemporaryFolder(t);
  await mkdir(join(parent, '.x.partial'));
  await writeFile(join(parent, '.x.partial', 'old'), 'old');
  await writeFolderWhole(join(parent, 'x'), fill);
  t.deepEqual(await readdir(parent), ['x']);
  t.deepEqual(await readdir(join(parent, 'x')), ['a']);
});

test('what is there is not overwritten', async (t) => {
  const parent = await makeTemporaryFolder(t);
  await mkdir(join(parent, 'x'));
  await writeFile(join(parent, 'x', 'mine'), 'mine');
  await writeFile(join(parent, 'file'), 'mine');
  const asked = async (): Promise<void> => t.fail('nothing is written');
  const error = await t.throwsAsync(writeFolderWhole(join(parent, 'x'), asked), { instanceOf: TapestryError });
  t.is(error.code, 'folder-taken');
  t.regex(error.message, /x: expected no such folder, or an empty one, found a folder with 1 entries/);
  await t.throwsAsync(writeFolderWhole(join(parent, 'file'), asked), { code: 'folder-taken', message: /ENOTDIR/ });
  t.deepEqual((await readdir(parent)).sort(), ['file', 'x']);
});

test('nothing is left when filling fails', async (t) => {
  const parent = await makeTemporaryFolder(t);
  const failing = async (folder: string): Promise<void> => {
    await fill(folder);
    throw new TapestryError('luck', 'no luck', 'try again');
  };
  await t.throwsAsync(writeFolderWhole(join(parent, 'x'), failing), { code: 'luck' });
  const full = async (): Promise<void> => {
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };
  await t.throwsAsync(writeFolderWhole(join(parent, 'x'), full), { code: 'folder-failed', message: /x: ENOSPC/ });
  t.deepEqual(await readdir(parent), []);
});
