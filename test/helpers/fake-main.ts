/** The command line as a process of its own, with fake layers below it: what a testnet of fakes starts. */
import { runProgram } from '../../src/cli/program.ts';
import { createFakeModules } from './fake-modules.ts';

const controller = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort(name));
const faults = JSON.parse(process.env.TAPESTRY_FAKE_FAULTS ?? '{}');
const exitCode = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  environment: process.env,
  signal: controller.signal,
  modules: createFakeModules(faults),
  mainArguments: [import.meta.filename],
  threads: 2,
  memoryBytes: 16e9,
});
process.stdout.write('', () => process.exit(exitCode));
