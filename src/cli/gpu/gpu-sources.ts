/** Where `doctor --gpu` looks on this machine: the driver's tool, the loader's cache, the files. Decides nothing. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describeLibraryRemedy, describeProviderRemedy, providerLibraries } from '../../trainer/explain-probe.ts';
import type { CudaProbe } from '../../trainer/probe-cuda.ts';
import { runtimePackage } from '../../trainer/runtime-package.ts';
import { type GpuSources, gpuQuery } from './gpu-report.ts';
import { readNeededLibraries } from './needed-libraries.ts';

const patienceMs = 20_000;

/** The real sources, for a report about this attempt. */
export function createGpuSources(environment: GpuSources['environment'], probe: CudaProbe): GpuSources {
  return {
    environment,
    queryGpus: () => runTool('nvidia-smi', gpuQuery),
    // Folders of system tools are not on everybody's PATH.
    readLoaderCache: async () => (await runTool('ldconfig', ['-p'])) ?? (await runTool('/sbin/ldconfig', ['-p'])) ?? '',
    exists: existsSync,
    readNeeded: readNeededLibraries,
    runtime: runtimePackage,
    provider: { libraries: providerLibraries, describeProviderRemedy, describeLibraryRemedy },
    probe,
  };
}

/** What a program prints; null if it is not there, fails or takes too long. */
function runTool(name: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(name, args, { timeout: patienceMs }, (error, stdout) => resolve(error === null ? stdout : null));
  });
}
