/**
 * Finds out whether a GPU can train, by making it multiply two matrices, and if it cannot, what is missing and what to do.
 * The attempt runs in a process of its own: a provider library that is damaged or does not fit ends the process that loads
 * it, and what is missing is written to that process's stderr by native code and is in no error that JavaScript sees.
 * spec/devices.md#probe
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { explainProbe } from './explain-probe.ts';

/** Why a GPU cannot be used. */
export interface CudaProblem {
  readonly kind: 'platform' | 'provider' | 'library' | 'mismatch' | 'driver' | 'gpu' | 'memory' | 'crash' | 'unknown';
  /** the file that is missing or does not fit, as the loader names it; null if it is no file */
  readonly library: string | null;
  /** one line: what is wrong */
  readonly message: string;
  /** one line: what to do */
  readonly remedy: string;
}

/** What an attempt came to: `problem` is null if the GPU computed. */
export interface CudaProbe {
  readonly index: number;
  readonly problem: CudaProblem | null;
}

/** How the process of an attempt ended. */
export interface ProbeOutput {
  /** null if a signal ended it */
  readonly code: number | null;
  readonly signal: string | null;
  /** stdout and stderr */
  readonly text: string;
}

/** Makes the attempt on the GPU of this index. */
export type ProbeRunner = (index: number) => Promise<ProbeOutput>;

/** The first load of the CUDA libraries reads about a gigabyte. */
const patienceMs = 120_000;
const maxTextBytes = 1_048_576;

/** Tries the GPU of this index. Never throws for what is wrong with CUDA. */
export async function probeCuda(index: number, run: ProbeRunner = runProbeProcess): Promise<CudaProbe> {
  return { index, problem: explainProbe(index, await run(index)) };
}

/** Runs `probe-cuda-process.ts`. */
export function runProbeProcess(index: number): Promise<ProbeOutput> {
  // As in trainer.ts: .ts in a checkout, .js in a package.
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  const entry = fileURLToPath(new URL(`./probe-cuda-process${ending}`, import.meta.url));
  const options = { timeout: patienceMs, killSignal: 'SIGKILL', maxBuffer: maxTextBytes } as const;
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [entry, String(index)], options, (error, stdout, stderr) => {
      resolve({
        code: child.exitCode,
        signal: child.signalCode,
        text: `${stdout}${stderr}${child.pid === undefined ? error?.message : ''}`,
      });
    });
  });
}
