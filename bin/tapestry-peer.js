#!/usr/bin/env node
/**
 * Starts the command line on a Node that can run it. Plain JavaScript that an old Node can still read.
 * In a checkout it runs `src`, so that an edit counts at once; in an installed package it runs `dist`.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const needed = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const installed = root.split(sep).includes('node_modules');
const source = join(root, 'src', 'cli', 'main.ts');
const inCheckout = !installed && existsSync(source);
const main = inCheckout ? source : join(root, 'dist', 'src', 'cli', 'main.js');

if (Number(process.versions.node.split('.')[0]) >= needed) runHere();
else runWithLocalNode();

function runHere() {
  if (!existsSync(main)) {
    fail(`tapestry-peer: ${main} is missing: this package was not built.`, 'Install it again, or run: npm run build');
    return;
  }
  import(pathToFileURL(main).href).then(
    (cli) => cli.runMain(),
    (error) => {
      const text = String(error?.message);
      if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !text.includes('package')) throw error;
      fail(`tapestry-peer: ${text.split('\n')[0].replace(/ imported from .*/, '')}.`, `Run: npm ci   (in ${root})`);
    },
  );
}

/** The same command again on the Node that `npm ci` put beside this package; signals and the exit code pass through. */
function runWithLocalNode() {
  const node = findLocalNode();
  if (node === null) {
    fail(
      `tapestry-peer: needs Node ${needed} or newer, found ${process.versions.node} (${process.execPath}).`,
      inCheckout
        ? `Run: npm ci   (in ${root}; it installs one)`
        : 'Install one from https://nodejs.org, or run: npm install node@24',
    );
    return;
  }
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const forward = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, forward);
  child.on('error', (error) => fail(`tapestry-peer: cannot start ${node}: ${error.message}.`, 'Run: npm ci'));
  child.on('exit', (code, signal) => {
    for (const name of signals) process.removeListener(name, forward);
    if (signal === null) process.exitCode = code;
    else process.kill(process.pid, signal);
  });
}

/** The `node` package of this checkout, or one installed beside this package; null if it is missing or too old. */
function findLocalNode() {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve('node/package.json');
    const binary = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    const major = Number(require(manifest).version.split('.')[0]);
    return existsSync(binary) && major >= needed ? binary : null;
  } catch {
    return null;
  }
}

function fail(problem, remedy) {
  process.stderr.write(`${problem}\n${remedy}\n`);
  process.exitCode = 1;
}
