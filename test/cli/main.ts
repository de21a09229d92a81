import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The environment of a plain user: nothing that would silence ONNX Runtime, and a cache folder to look into. */
function plainEnvironment(folder: string): NodeJS.ProcessEnv {
  const { PATH } = process.env;
  return { PATH, HOME: folder, XDG_CACHE_HOME: join(folder, 'cache'), TMPDIR: folder };
}

test('making a training session leaves no trace of telemetry', async (t) => {
  const folder = await makeTemporaryFolder(t);
  const args = [main, 'doctor', '--home', join(folder, 'home'), '--port', '0', '--json'];
  const child = spawn(process.execPath, args, { env: plainEnvironment(folder), stdio: ['ignore', 'pipe', 'ignore'] });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  t.deepEqual(await once(child, 'close'), [0, null]);
  t.true(out.includes('"check":"training","state":"ok"'));
  // ONNX Runtime would have left a machine identifier and a database in the cache, and a log in the temporary folder.
  t.deepEqual(await readdir(folder), []);
});

test('Ctrl-C counts once, and the exit code says so', async (t) => {
  const folder = await makeTemporaryFolder(t);
  const args = [main, '--home', join(folder, 'home'), '--preset', 'nano', '--port', '0', '--json'];
  const child = spawn(process.execPath, args, { env: plainEnvironment(folder), stdio: ['ignore', 'pipe', 'ignore'] });
  child.stdout.resume();
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  child.kill('SIGINT');
  t.deepEqual(await once(child, 'close'), [130, null]);
});
