import test from 'ava';
import { runProgram } from '../../src/cli/program.ts';
import { readVersion } from '../../src/cli/read-version.ts';
import { createCaughtContext } from '../helpers/fake-modules.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

test('--version prints the version of the package', async (t) => {
  const context = createCaughtContext();
  t.is(await runProgram(['--version'], context), 0);
  t.is(context.out(), `${readVersion()}\n`);
  t.regex(context.out(), /^\d+\.\d+\.\d+/);
});

test('--help names every command', async (t) => {
  const context = createCaughtContext();
  t.is(await runProgram(['--help'], context), 0);
  const peers = ['start', 'join', 'testnet', 'status', 'stop', 'verify', 'config', 'doctor', 'run'];
  const models = ['train', 'eval', 'generate', 'import', 'export', 'models', 'data'];
  for (const name of [...peers, ...models]) {
    t.regex(context.out(), new RegExp(`^  ${name}\\b`, 'm'), name);
  }
});

const misused: [title: string, args: string[], said: RegExp][] = [
  ['an unknown command', ['stautus'], /unknown command 'stautus'\n\(Did you mean status\?\)/],
  ['an unknown option', ['status', '--jason'], /unknown option '--jason'/],
  ['a port that is none', ['--port', '70000'], /Expected a whole number from 0 to 65535/],
  ['a preset that is none', ['testnet', 'up', '--preset', 'huge'], /Allowed choices are nano, micro, tiny, small/],
  ['a setting without a value', ['testnet', 'up', '--set', 'compressor.k'], /Expected key=value/],
  ['two peers', ['testnet', 'up', '--peers', '2'], /Two peers would stop when one of them does/],
  ['no folder to verify', ['verify'], /missing required argument 'folder'/],
];

for (const [title, args, said] of misused) {
  test(`${title} is wrong usage: exit code 2 and nothing on stdout`, async (t) => {
    const context = createCaughtContext();
    t.is(await runProgram(args, context), 2);
    t.regex(context.err(), said);
    t.is(context.out(), '');
  });
}

test('what a person can do something about takes two lines, exit code 1', async (t) => {
  const home = await makeTemporaryFolder(t);
  const context = createCaughtContext();
  t.is(await runProgram(['--home', home, '--data', `${home}/none`], context), 1);
  t.regex(
    context.err(),
    /^tapestry-peer: Cannot read text from .*none: there is no such file or folder\.\nGive a folder .*\n$/,
  );
});

test('a fault of the program itself shows its stack', async (t) => {
  const home = await makeTemporaryFolder(t);
  const context = createCaughtContext();
  const modules = { ...context.modules, computeHeldOutHash: () => Promise.reject(new RangeError('our bug')) };
  t.is(await runProgram(['--home', home], { ...context, modules }), 1);
  t.regex(context.err(), /unexpected error\nRangeError: our bug\n {4}at /);
});
