import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import { findLockHolder, HomeLock } from '../../../src/peer/storage/home-lock.ts';
import { TapestryError } from '../../../src/protocol/errors.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

test('a home is held once, and free again after its release', async (t) => {
  const home = join(await makeTemporaryFolder(t), 'home');
  const lock = new HomeLock(home);
  const error = t.throws(() => new HomeLock(home), { instanceOf: TapestryError });
  t.is(error.code, 'home-locked');
  t.is(error.facts.pid, process.pid);
  t.true(error.message.includes(home));
  t.deepEqual(findLockHolder(home), { pid: process.pid });
  lock.release();
  lock.release();
  t.is(findLockHolder(home), null);
  new HomeLock(home).release();
});

test('the kernel lets go of the home of a killed process', async (t) => {
  const home = await makeTemporaryFolder(t);
  const module = new URL('../../../src/peer/storage/home-lock.ts', import.meta.url).href;
  const script = `
    const { HomeLock } = await import(${JSON.stringify(module)});
    globalThis.lock = new HomeLock(process.argv[1]);
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, home]);
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const error = t.throws(() => new HomeLock(home), { instanceOf: TapestryError });
  t.is(error.facts.pid, child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  new HomeLock(home).release();
  t.pass();
});
