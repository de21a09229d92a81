/**
 * What `doctor --gpu` finds out: the driver and its GPUs, every library on the way to CUDA and where the loader would find
 * it, and what an attempt to compute came to. Where it looks comes in from outside. spec/devices.md#doctor
 */
import { delimiter, join } from 'node:path';
import type { CudaProbe } from '../../trainer/probe-cuda.ts';

/** A GPU as the driver's own tool names it. */
export interface GpuFacts {
  readonly name: string;
  readonly driver: string;
  readonly memoryMiB: number;
}

/** Where a library is. */
export interface LibraryPlace {
  readonly library: string;
  /** null: found nowhere */
  readonly path: string | null;
  readonly via: 'package' | 'LD_LIBRARY_PATH' | 'ldconfig' | null;
  /** what to do if it is missing */
  readonly remedy: string | null;
}

/** The whole report; printed as JSON as it is. */
export interface GpuReport {
  readonly usable: boolean;
  /** null: no driver that answers */
  readonly gpus: readonly GpuFacts[] | null;
  readonly runtime: { readonly version: string; readonly folder: string };
  readonly libraries: readonly LibraryPlace[];
  readonly probe: CudaProbe;
}

/** The outside world as the report sees it. */
export interface GpuSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** output of `nvidia-smi`, see `gpuQuery`; null if there is no such program or it failed */
  readonly queryGpus: () => Promise<string | null>;
  /** output of `ldconfig -p`; empty if there is none */
  readonly readLoaderCache: () => Promise<string>;
  readonly exists: (path: string) => boolean;
  /** what a library needs; null if the file is not readable as a library */
  readonly readNeeded: (path: string) => Promise<readonly string[] | null>;
  readonly runtime: { readonly version: string; readonly folder: string; readonly binaries: string };
  readonly provider: ProviderFacts;
  readonly probe: CudaProbe;
}

/** What `src/trainer/explain-probe.ts` knows of libraries. */
export interface ProviderFacts {
  readonly libraries: readonly string[];
  readonly describeProviderRemedy: () => string;
  readonly describeLibraryRemedy: (library: string) => string;
}

/** Arguments of `nvidia-smi` that `parseGpus` understands. */
export const gpuQuery: readonly string[] = [
  '--query-gpu=name,driver_version,memory.total',
  '--format=csv,noheader,nounits',
];

/** What the provider for CUDA 12 needs: the list to look for while the provider itself is missing. */
const librariesOfCuda12 = [
  'libcublasLt.so.12',
  'libcublas.so.12',
  'libcudart.so.12',
  'libcufft.so.11',
  'libcurand.so.10',
  'libcuda.so.1',
];
/** Opened when it is first needed and so named by no file: sums in a fixed order are computed with it. */
const libraryOpenedLater = 'libcudnn.so.9';
const cudaName = /^lib(cu|nv)/;

/** Looks for everything. */
export async function collectGpuReport(sources: GpuSources): Promise<GpuReport> {
  const { runtime, provider, exists, probe } = sources;
  const cache = parseLoaderCache(await sources.readLoaderCache());
  const own = provider.libraries.map((library): LibraryPlace => {
    const path = join(runtime.binaries, library);
    // They are opened by their full path: nowhere else counts.
    return exists(path)
      ? { library, path, via: 'package', remedy: null }
      : { library, path: null, via: null, remedy: provider.describeProviderRemedy() };
  });
  const cudaProvider = own.at(-1)!.path;
  const needed = cudaProvider === null ? null : await sources.readNeeded(cudaProvider);
  const names = needed === null ? librariesOfCuda12 : needed.filter((name) => cudaName.test(name));
  const others = [...new Set([...names, libraryOpenedLater])].map((library) => locate(library, sources, cache));
  const gpus = await sources.queryGpus();
  return {
    usable: probe.problem === null,
    gpus: gpus === null ? null : parseGpus(gpus),
    runtime: { version: runtime.version, folder: runtime.folder },
    libraries: [...own, ...others],
    probe,
  };
}

/** The loader's own order: LD_LIBRARY_PATH, then its cache. */
function locate(library: string, sources: GpuSources, cache: ReadonlyMap<string, string>): LibraryPlace {
  const folders = (sources.environment.LD_LIBRARY_PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const folder = folders.find((candidate) => sources.exists(join(candidate, library)));
  if (folder !== undefined) {
    return { library, path: join(folder, library), via: 'LD_LIBRARY_PATH', remedy: null };
  }
  const path = cache.get(library);
  if (path !== undefined) return { library, path, via: 'ldconfig', remedy: null };
  return { library, path: null, via: null, remedy: sources.provider.describeLibraryRemedy(library) };
}

/** Path of each library by its name, from the output of `ldconfig -p`; the first of a name counts. */
export function parseLoaderCache(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name, path] of text.matchAll(/^\s+(\S+) \([^)]*x86-64[^)]*\) => (.+)$/gm)) {
    if (!found.has(name!)) found.set(name!, path!);
  }
  return found;
}

/** GPUs from the output of `nvidia-smi` with `gpuQuery`. */
export function parseGpus(text: string): GpuFacts[] {
  return [...text.matchAll(/^(.+), ([\d.]+), (\d+)$/gm)].map(([, name, driver, memory]) => {
    return { name: name!, driver: driver!, memoryMiB: Number(memory) };
  });
}

/** The report in lines for people. */
export function describeGpuReport(report: GpuReport): string[] {
  const { gpus, libraries, probe, runtime } = report;
  const width = Math.max(...libraries.map(({ library }) => library.length));
  const lines = (gpus ?? []).map(
    ({ name, driver, memoryMiB }, index) => `GPU ${index}: ${name}, ${memoryMiB} MiB, driver ${driver}`,
  );
  if (gpus === null) lines.push('no NVIDIA driver answers (nvidia-smi)');
  lines.push(`ONNX Runtime ${runtime.version} in ${runtime.folder}`);
  for (const { library, path, via } of libraries) {
    lines.push(`  ${library.padEnd(width)}  ${path === null ? 'missing' : `${path} (${via})`}`);
  }
  if (probe.problem === null) return [...lines, `CUDA works: GPU ${probe.index} computed`];
  const remedies = [probe.problem.remedy, ...libraries.flatMap(({ remedy }) => (remedy === null ? [] : [remedy]))];
  lines.push(`CUDA cannot be used on GPU ${probe.index}: ${probe.problem.message}`, 'What to do:');
  return [...lines, ...[...new Set(remedies)].map((remedy, index) => `  ${index + 1}. ${remedy}`)];
}
