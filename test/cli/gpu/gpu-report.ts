import test from 'ava';
import {
  collectGpuReport,
  describeGpuReport,
  type GpuSources,
  parseGpus,
  parseLoaderCache,
} from '../../../src/cli/gpu/gpu-report.ts';
import type { CudaProblem } from '../../../src/trainer/probe-cuda.ts';

const cache = `1234 libs found in cache \`/etc/ld.so.cache'
	libcurand.so.10 (libc6,x86-64) => /usr/local/cuda/lib64/libcurand.so.10
	libcuda.so.1 (libc6) => /usr/lib32/libcuda.so.1
	libcuda.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcuda.so.1
	libcuda.so.1 (libc6,x86-64) => /usr/lib/other/libcuda.so.1
`;

const problem: CudaProblem = { kind: 'library', library: 'liba', message: 'liba is missing', remedy: 'Install a.' };

function createSources(files: readonly string[], more: Partial<GpuSources> = {}): GpuSources {
  return {
    environment: { LD_LIBRARY_PATH: '/one::/two' },
    queryGpus: async () => null,
    readLoaderCache: async () => cache,
    exists: (path) => files.includes(path),
    readNeeded: async () => ['libcublasLt.so.13', 'libcurand.so.10', 'libcuda.so.1', 'libc.so.6'],
    runtime: { version: '1.2.3', folder: '/ort', binaries: '/ort/bin' },
    provider: {
      libraries: ['libshared.so', 'libprovider.so'],
      describeProviderRemedy: () => 'Fetch the provider.',
      describeLibraryRemedy: (library) => `Install ${library}.`,
    },
    probe: { index: 0, problem },
    ...more,
  };
}

test('libraries are looked for where the loader looks, in its order', async (t) => {
  const files = ['/ort/bin/libshared.so', '/ort/bin/libprovider.so', '/two/libcublasLt.so.13', '/two/libcurand.so.10'];
  const { libraries } = await collectGpuReport(createSources(files));
  t.deepEqual(
    libraries.map(({ library, path, via }) => [library, path, via]),
    [
      ['libshared.so', '/ort/bin/libshared.so', 'package'],
      ['libprovider.so', '/ort/bin/libprovider.so', 'package'],
      ['libcublasLt.so.13', '/two/libcublasLt.so.13', 'LD_LIBRARY_PATH'],
      ['libcurand.so.10', '/two/libcurand.so.10', 'LD_LIBRARY_PATH'],
      ['libcuda.so.1', '/usr/lib/x86_64-linux-gnu/libcuda.so.1', 'ldconfig'],
      ['libcudnn.so.9', null, null],
    ],
  );
});

test('without the provider, or one that cannot be read, the libraries of CUDA 12 are looked for', async (t) => {
  const reports = [
    await collectGpuReport(createSources([])),
    await collectGpuReport(createSources(['/ort/bin/libprovider.so'], { readNeeded: async () => null })),
  ];
  for (const { libraries } of reports) {
    t.true(libraries.some(({ library, path }) => library === 'libcublasLt.so.12' && path === null));
  }
  // A provider elsewhere is of no use: it is opened by its full path.
  const { libraries } = await collectGpuReport(createSources(['/one/libprovider.so']));
  t.like(libraries[1]!, { library: 'libprovider.so', path: null, remedy: 'Fetch the provider.' });
});

test('people read the GPUs, every library, and each remedy once', async (t) => {
  const gpus = 'NVIDIA H100 80GB HBM3, 550.54.15, 81559\n';
  const lines = describeGpuReport(await collectGpuReport(createSources([], { queryGpus: async () => gpus })));
  t.is(lines[0], 'GPU 0: NVIDIA H100 80GB HBM3, 81559 MiB, driver 550.54.15');
  t.true(lines.includes('  libcuda.so.1       /usr/lib/x86_64-linux-gnu/libcuda.so.1 (ldconfig)'), lines.join('\n'));
  t.true(lines.includes('  libcudnn.so.9      missing'));
  t.true(lines.includes('CUDA cannot be used on GPU 0: liba is missing'));
  t.true(lines.includes('  1. Install a.'));
  t.is(lines.filter((line) => line.endsWith('Fetch the provider.')).length, 1);
});

test('where CUDA works, that is the last line', async (t) => {
  const report = await collectGpuReport(createSources([], { probe: { index: 1, problem: null } }));
  t.true(report.usable);
  t.is(describeGpuReport(report).at(-1), 'CUDA works: GPU 1 computed');
  t.is(describeGpuReport(report)[0], 'no NVIDIA driver answers (nvidia-smi)');
});

test('output of other tools that says nothing is nothing', (t) => {
  t.is(parseLoaderCache('').size, 0);
  t.deepEqual(parseGpus('No devices were found\n'), []);
});
