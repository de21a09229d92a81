import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { runProgram } from '../../../src/cli/program.ts';
import { createCaughtContext } from '../../helpers/fake-modules.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

test('a running peer ends in order, and the command waits for it', async (t) => {
  const home = await makeTemporaryFolder(t);
  const context = createCaughtContext({ idle: true });
  const child = spawn(process.execPath, [...context.mainArguments, '--home', home, '--json'], {
    env: context.environment as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  let printed = '';
  child.stdout!.on('data', (chunk) => {
    printed += chunk;
  });
  while (!printed.includes('peer.started')) await once(child.stdout!, 'data');
  t.is(await runProgram(['stop', '--home', home, '--json'], context), 0);
  t.deepEqual(JSON.parse(context.out()), { home, stopped: [child.pid] });
  t.deepEqual(await exited, [0, null]);
});

test('a home without a running peer has nothing to stop', async (t) => {
  const context = createCaughtContext();
  t.is(await runProgram(['stop', '--home', await makeTemporaryFolder(t)], context), 0);
  t.regex(context.out(), /no peer is running/);
});
