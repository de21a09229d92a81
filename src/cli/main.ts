/** The command line of this process: its streams, its signals, its exit code. The work is in `program.ts`. */
import { fileURLToPath } from 'node:url';
import { type CliContext, countThreads } from './cli-context.ts';
import { runProgram } from './program.ts';
import { realModules } from './real-modules.ts';

/** Signals that end a command in order. */
const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** How long an ending may take before the process just exits; longer than a testnet needs to end its peers. */
const patienceMs = 15_000;

/** Runs the arguments of this process and exits with their code. */
export async function runMain(): Promise<void> {
  const controller = new AbortController();
  for (const name of endingSignals) process.on(name, () => end(controller, name));
  // Whoever read the output has gone; there is nobody left to tell.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      controller.abort('SIGTERM');
    });
  }
  const context: CliContext = {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    environment: process.env,
    signal: controller.signal,
    modules: realModules,
    mainArguments: [fileURLToPath(import.meta.url)],
    threads: countThreads(),
    memoryBytes: process.availableMemory(),
  };
  const exitCode = await runProgram(process.argv.slice(2), context);
  await flush(process.stdout);
  await flush(process.stderr);
  process.exit(exitCode);
}

/** A terminal and a launcher may both pass on one Ctrl-C: only the first signal counts. */
function end(controller: AbortController, name: (typeof endingSignals)[number]): void {
  if (controller.signal.aborted) return;
  controller.abort(name === 'SIGHUP' ? 'SIGTERM' : name);
  setTimeout(() => process.exit(name === 'SIGINT' ? 130 : 143), patienceMs).unref();
}

/** Resolves when all that was written is out, or nobody reads it any more. */
function flush(stream: NodeJS.WriteStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.write('', () => resolve());
  return promise;
}

if (import.meta.main) await runMain();
