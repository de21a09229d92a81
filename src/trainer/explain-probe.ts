/**
 * Reads what ONNX Runtime, the dynamic loader and CUDA say when a GPU cannot be used, and words it for people: the exact
 * library and the way to get it. Pure. spec/devices.md#libraries
 */
import { basename, dirname, join } from 'node:path';
import type { CudaProblem, ProbeOutput } from './probe-cuda.ts';
import { runtimePackage } from './runtime-package.ts';

type Pattern = readonly [RegExp, (match: RegExpMatchArray, index: number) => CudaProblem];

/**
 * What is wrong, or null if the GPU computed.
 * @param index the GPU that was tried
 */
export function explainProbe(index: number, output: ProbeOutput): CudaProblem | null {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the runtime colours its log lines
  const text = output.text.replaceAll(/\u001b\[[\d;]*m/g, '');
  if (output.code === 0 && /^usable$/m.test(text)) {
    return null;
  }
  for (const [pattern, explain] of patterns) {
    const match = text.match(pattern);
    if (match !== null) {
      return explain(match, index);
    }
  }
  return output.code === null || output.code > 128 ? explainCrash(output) : explainUnknown(text);
}

/** How to get ONNX Runtime's CUDA provider, which its npm package leaves out. */
export function describeProviderRemedy(): string {
  const { folder, version } = runtimePackage;
  return (
    `Fetch it with ONNX Runtime's own install step, for CUDA 12: ONNXRUNTIME_NODE_INSTALL=cuda12 node ${join(folder, 'script/install.js')} ` +
    `- or copy ${providerLibraries.join(' and ')} from the folder onnxruntime/capi of the Python wheel ` +
    `onnxruntime-gpu ${version}, which may be for another CUDA version, into ${runtimePackage.binaries}.`
  );
}

/** The files that ONNX Runtime loads to reach CUDA, in the order of loading. */
export const providerLibraries: readonly string[] = [
  'libonnxruntime_providers_shared.so',
  'libonnxruntime_providers_cuda.so',
];

/** How to get a library that the provider needs. */
export function describeLibraryRemedy(library: string): string {
  if (library.startsWith('libcuda.so')) {
    return 'Install the NVIDIA driver; in a container, start it with access to the GPU (--gpus all) so that the driver is passed in.';
  }
  const known = libraryPackages.find(([pattern]) => pattern.test(library));
  const holder =
    known === undefined
      ? `the package that holds ${library}`
      : `${known[1]}, for example the Python package ${known[2]}`;
  return `Install ${holder}, and let the loader find it: add its folder to LD_LIBRARY_PATH, or make ldconfig know it.`;
}

/** Which CUDA component a library belongs to, by the number in its name, and the Python package that carries it. */
const libraryPackages: readonly (readonly [pattern: RegExp, component: string, python: string])[] = [
  [/^libcublas(Lt)?\.so\.12$/, 'cuBLAS of CUDA 12', 'nvidia-cublas-cu12'],
  [/^libcublas(Lt)?\.so\.13$/, 'cuBLAS of CUDA 13', 'nvidia-cublas'],
  [/^libcudart\.so\.12$/, 'the runtime of CUDA 12', 'nvidia-cuda-runtime-cu12'],
  [/^libcudart\.so\.13$/, 'the runtime of CUDA 13', 'nvidia-cuda-runtime'],
  [/^libcufft\.so\.11$/, 'cuFFT of CUDA 12', 'nvidia-cufft-cu12'],
  [/^libcufft\.so\.12$/, 'cuFFT of CUDA 13', 'nvidia-cufft'],
  [/^libcurand\.so\.10$/, 'cuRAND of CUDA 12 or 13', 'nvidia-curand-cu12 or nvidia-curand'],
  [/^libcudnn\w*\.so\.9/, 'cuDNN 9 for your CUDA version', 'nvidia-cudnn-cu12 or nvidia-cudnn-cu13'],
  [/^libnvrtc\.so\.12$/, 'NVRTC of CUDA 12', 'nvidia-cuda-nvrtc-cu12'],
  [/^libnvrtc\.so\.13$/, 'NVRTC of CUDA 13', 'nvidia-cuda-nvrtc'],
];

/** The first that matches decides. */
const patterns: readonly Pattern[] = [
  [/Failed to load library (\S+) with error: (.+)/, (match) => explainLoader(match[1]!, match[2]!)],
  // cuDNN opens its parts when they are first used, says so on stderr and ends the process.
  [/Could not load library (lib\S+?\.so[.\d]*)\. Error: (.+)/, (match) => explainLoader(match[1]!, match[2]!)],
  [/Unable to load any of \{[^}]*?(lib\w+\.so\.\d+)[,}]/, (match) => missing(match[1]!)],
  [/cuDNN (?:is (?:not available|unavailable)|library was not found)/, () => missing('libcudnn.so.9')],
  [/Unable to dlopen (libcuda\.so\.1)/, (match) => missing(match[1]!)],
  [/\[cuda\] backend not found/, explainPlatform],
  [/CUDA failure (\d+): ([^;\n]+?) *[;\n]/, (match, index) => explainCudaError(Number(match[1]), match[2]!, index)],
  [/(CUDNN|CUBLAS) failure \d+: (\w+)/, (match) => explainHandle(match[1]!, match[2]!)],
  [/fallback to CPU EP has been explicitly disabled/, explainNoKernel],
  [/the GPU computed .+ instead of .+/, (match) => gpu(match[0], 'Look for a faulty GPU or driver.')],
];

/** @param detail what the dynamic loader said about `loaded` */
function explainLoader(loaded: string, detail: string): CudaProblem {
  const absent = detail.match(/(\S+): cannot open shared object file/);
  if (absent !== null) {
    return missing(basename(absent[1]!));
  }
  const symbol = detail.match(/undefined symbol: (cu[A-Z]\w+)/);
  if (symbol !== null) {
    return oldDriver(`the NVIDIA driver has no ${symbol[1]}`);
  }
  const [, fault] = detail.match(/^(?:\S+: )?(.+)$/)!;
  return {
    kind: 'mismatch',
    library: basename(loaded),
    message: `${basename(loaded)} is there but cannot be loaded: ${shorten(fault!)}`,
    remedy: providerLibraries.includes(basename(loaded))
      ? `Replace it by the file of onnxruntime ${runtimePackage.version} in ${dirname(loaded)}. ${describeProviderRemedy()}`
      : 'Install its CUDA components in versions that belong together, and keep other copies out of LD_LIBRARY_PATH.',
  };
}

function missing(library: string): CudaProblem {
  const message = `${library} is missing`;
  if (providerLibraries.includes(library)) {
    return { kind: 'provider', library, message, remedy: describeProviderRemedy() };
  }
  const kind = library.startsWith('libcuda.so') ? 'driver' : 'library';
  return { kind, library, message, remedy: describeLibraryRemedy(library) };
}

function explainPlatform(): CudaProblem {
  return {
    kind: 'platform',
    library: null,
    message: `onnxruntime-node has no CUDA for ${process.platform} ${process.arch}`,
    remedy: 'Use Linux on x64 for a GPU.',
  };
}

/** Numbers of `cudaError_t`, https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html */
function explainCudaError(code: number, words: string, index: number): CudaProblem {
  const message = `CUDA error ${code}: ${shorten(words)}`;
  switch (code) {
    case 2:
      return {
        ...gpu(message, 'End other programs on this GPU, or choose another with --device cuda:N.'),
        kind: 'memory',
      };
    case 35:
    case 803:
    case 804:
      return oldDriver(message);
    case 100:
      return gpu(
        message,
        'Check nvidia-smi and CUDA_VISIBLE_DEVICES; in a container, start it with access to the GPU (--gpus all).',
      );
    case 101:
      return gpu(
        `${message}: there is no GPU ${index}`,
        'nvidia-smi lists the GPUs; CUDA counts from 0 those that CUDA_VISIBLE_DEVICES leaves.',
      );
    case 209:
      return gpu(message, 'This GPU is too old or too new for this build of ONNX Runtime.');
    default:
      return gpu(
        message,
        'Check the GPU with nvidia-smi; a restart of the driver or the machine clears many of these.',
      );
  }
}

function explainHandle(library: string, status: string): CudaProblem {
  return gpu(
    `${library === 'CUDNN' ? 'cuDNN' : 'cuBLAS'} does not start: ${status}`,
    'Free memory on the GPU, and install versions of CUDA, cuDNN and the driver that belong together.',
  );
}

function explainNoKernel(): CudaProblem {
  const message = 'ONNX Runtime took the CPU although CUDA was asked for';
  return { kind: 'mismatch', library: providerLibraries[1]!, message, remedy: describeProviderRemedy() };
}

function explainCrash({ code, signal }: ProbeOutput): CudaProblem {
  const end = signal ?? `code ${code}`;
  return {
    kind: 'crash',
    library: null,
    message:
      signal === 'SIGKILL'
        ? 'the attempt took too long, or was killed for want of memory'
        : `the attempt ended its process (${end})`,
    remedy: `A library is damaged or belongs to another version. ${describeProviderRemedy()}`,
  };
}

function explainUnknown(text: string): CudaProblem {
  // The name of this machine is nobody's business.
  const line = text.replaceAll(/hostname=\S+/g, '').match(/\S.*/)?.[0] ?? 'nothing was said';
  return { kind: 'unknown', library: null, message: shorten(line), remedy: 'Run `tapestry-peer doctor --gpu`.' };
}

function oldDriver(message: string): CudaProblem {
  const remedy =
    'Install a newer NVIDIA driver: one that knows this CUDA version (nvidia-smi prints the newest it knows).';
  return { kind: 'driver', library: 'libcuda.so.1', message, remedy };
}

function gpu(message: string, remedy: string): CudaProblem {
  return { kind: 'gpu', library: null, message, remedy };
}

function shorten(words: string): string {
  const line = words.trim();
  return line.length > 200 ? `${line.slice(0, 197)}...` : line;
}
