import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { findRunningPeer } from '../../src/peer/find-running-peer.ts';
import { HomeLock } from '../../src/peer/storage/home-lock.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

test('the process that holds the lock is found while it does', async (t) => {
  const folder = await makeTemporaryFolder(t);
  t.is(findRunningPeer(folder), null);
  const lock = new HomeLock(folder);
  t.is(findRunningPeer(folder), process.pid);
  lock.release();
  t.is(findRunningPeer(folder), null);
});

test('the number that a killed process left behind is nobody', async (t) => {
  const folder = await makeTemporaryFolder(t);
  await writeFile(join(folder, 'lock.pid'), `${process.pid}\n`);
  t.is(findRunningPeer(folder), null);
});
