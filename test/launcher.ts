/** The launcher in folders that look like a checkout, an installed package, and broken ones. bin/tapestry-peer.js */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { makeTemporaryFolder } from './helpers/temporary-folder.ts';

const launcher = fileURLToPath(new URL('../bin/tapestry-peer.js', import.meta.url));
const echo =
  'export const runMain = async () => { console.log(import.meta.url, process.argv[2]); process.exitCode = 7; };';

/** A folder with the launcher and `files`; returns the launcher's path. */
async function place(t: ExecutionContext, files: Record<string, string>, below = '.'): Promise<string> {
  const root = join(await makeTemporaryFolder(t), below);
  const all = { 'package.json': '{"type": "module"}', ...files };
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  await mkdir(join(root, 'bin'), { recursive: true });
  const path = join(root, 'bin', 'tapestry-peer.js');
  await copyFile(launcher, path);
  return path;
}

/** Runs a launcher; `node` pretends to be that version. */
async function launch(path: string, node?: string): Promise<{ code: number; out: string; err: string }> {
  const child = start(path, node);
  let [out, err] = ['', ''];
  child.stdout!.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr!.on('data', (chunk) => {
    err += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, out, err };
}

function start(path: string, node?: string): ChildProcess {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${node}' } })`;
  const flags = node === undefined ? [] : ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`];
  return spawn(process.execPath, [...flags, path, 'word'], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Puts this Node where `npm ci` puts the one of the `node` package. */
async function placeLocalNode(path: string, version: string): Promise<void> {
  const folder = join(dirname(dirname(path)), 'node_modules', 'node');
  await mkdir(join(folder, 'bin'), { recursive: true });
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'node', version }));
  await symlink(process.execPath, join(folder, 'bin', 'node'));
}

test('in a checkout it runs the source, even if there is a build', async (t) => {
  const path = await place(t, { 'src/cli/main.ts': echo, 'dist/src/cli/main.js': echo });
  const { code, out } = await launch(path);
  t.is(code, 7);
  t.regex(out, /[\\/]src\/cli\/main\.ts word\n$/);
});

test('in an installed package it runs the build, even if there is source', async (t) => {
  const files = { 'src/cli/main.ts': echo, 'dist/src/cli/main.js': echo };
  const { code, out } = await launch(await place(t, files, join('node_modules', 'tapestry-peer')));
  t.is(code, 7);
  t.regex(out, /dist\/src\/cli\/main\.js word\n$/);
});

test('a package that was not built says so', async (t) => {
  const { code, err } = await launch(await place(t, {}));
  t.is(code, 1);
  t.regex(err, /main\.js is missing: this package was not built\.\nInstall it again, or run: npm run build\n$/);
});

test('a missing dependency says what to run', async (t) => {
  const { code, err } = await launch(await place(t, { 'src/cli/main.ts': "import 'a-package-that-is-not-there';" }));
  t.is(code, 1);
  t.regex(err, /^tapestry-peer: Cannot find package 'a-package-that-is-not-there'\.\nRun: npm ci /);
  t.is(err.trimEnd().split('\n').length, 2);
});

test('a fault of the program is not taken for a missing dependency', async (t) => {
  const { code, err } = await launch(await place(t, { 'src/cli/main.ts': "throw new RangeError('our bug');" }));
  t.not(code, 0);
  t.regex(err, /RangeError: our bug\n {4}at /);
});

test('an old Node is told what is needed, in two lines', async (t) => {
  const { code, err } = await launch(await place(t, { 'src/cli/main.ts': echo }), '20.1.2');
  t.is(code, 1);
  t.regex(err, /^tapestry-peer: needs Node 24 or newer, found 20\.1\.2 \(.*\)\.\nRun: npm ci {3}\(in .*\n$/);
});

test('an old Node starts the one that is installed beside it', async (t) => {
  const path = await place(t, { 'src/cli/main.ts': echo });
  await placeLocalNode(path, '24.0.0');
  const { code, out } = await launch(path, '20.1.2');
  t.is(code, 7);
  t.regex(out, /main\.ts word\n$/);
});

test('an installed Node that is too old itself is not used', async (t) => {
  const path = await place(t, { 'src/cli/main.ts': echo });
  await placeLocalNode(path, '22.0.0');
  t.regex((await launch(path, '20.1.2')).err, /needs Node 24/);
});

test('signals and the exit code pass through the old Node', async (t) => {
  const main = `export const runMain = async () => {
    process.on('SIGTERM', () => process.exit(5));
    setTimeout(() => process.exit(9), 10_000);
    console.log('ready');
  };`;
  const path = await place(t, { 'src/cli/main.ts': main });
  await placeLocalNode(path, '24.0.0');
  const child = start(path, '20.1.2');
  await once(child.stdout!, 'data');
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'close'), [5, null]);
});
