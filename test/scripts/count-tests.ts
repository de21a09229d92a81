import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

const script = fileURLToPath(new URL('../../scripts/count-tests.js', import.meta.url));

/** What the script says about a log, and its exit code. */
async function count(t: ExecutionContext, log: string, exitCode: number): Promise<[line: string, code: number]> {
  const path = join(await makeTemporaryFolder(t), 'log');
  await writeFile(path, log);
  const { promise, resolve } = Promise.withResolvers<[string, number]>();
  execFile(process.execPath, [script, path, String(exitCode)], (error, stdout) => {
    resolve([stdout, error === null ? 0 : Number(error.code)]);
  });
  return promise;
}

test('tests that passed and failed are counted', async (t) => {
  t.deepEqual(await count(t, '\n  ✔ a › b\n  ✔ a › c (1.2s)\n  ─\n\n  2 tests passed\n', 0), [
    '2 passed, 0 failed\n',
    0,
  ]);
  t.deepEqual(await count(t, '  ✔ a › b\n  ✘ [fail]: a › c\n\n  1 test failed\n', 1), ['1 passed, 1 failed\n', 1]);
});

test('colours and the symbols of old terminals do not matter', async (t) => {
  t.deepEqual(await count(t, '  \x1b[32m√\x1b[39m a\n  \x1b[31m× [fail]:\x1b[39m b\n', 1), ['1 passed, 1 failed\n', 1]);
});

test('a run that ended badly is a failure even if no test failed', async (t) => {
  t.deepEqual(await count(t, '  ✔ a › b\n', 1), ['1 passed, 1 failed\n', 1]);
  t.deepEqual(await count(t, '', 0), ['0 passed, 1 failed\n', 1]);
});
