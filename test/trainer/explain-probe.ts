import test from 'ava';
import { explainProbe } from '../../src/trainer/explain-probe.ts';
import type { CudaProblem } from '../../src/trainer/probe-cuda.ts';

/** What the runtime writes to stderr when a library does not load, and the error that JavaScript sees. */
function notLoaded(loaded: string, detail: string): string {
  return (
    'Error: OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library\n' +
    '\u001b[1;31m2026-11-20 16:46:33.959909907 [E:onnxruntime:onnxruntime-node, provider_bridge_ort.cc:2146 Create] ' +
    '/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:1988 onnxruntime::Provider& ' +
    'onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library ' +
    `/app/bin/${loaded} with error: ${detail}\n\u001b[m\n`
  );
}

function cudaFailure(code: number, words: string): string {
  const call = 'onnxruntime::CudaCall(ERRTYPE, const char*, const char*, SUCCTYPE, const char*, const char*, int)';
  return (
    `Error: /onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:154 std::conditional_t<THRW, void, Status> ${call} ` +
    `CUDA failure ${code}: ${words} ; GPU=-1 ; hostname=secret ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/` +
    'cuda_execution_provider.cc ; line=352 ; expr=cudaSetDevice(info_.device_id); \n\n'
  );
}

const shared = 'libonnxruntime_providers_shared.so';
const provider = 'libonnxruntime_providers_cuda.so';
const absent = ': cannot open shared object file: No such file or directory';

/** Texts of onnxruntime-node 1.30.0 and of cuDNN 9; those of the loader and of CUDA were made by taking libraries away. */
const cases: [title: string, text: string, expected: Partial<CudaProblem>, remedy: RegExp][] = [
  [
    'the files that the npm package leaves out',
    notLoaded(shared, `/app/bin/${shared}${absent}`),
    { kind: 'provider', library: shared, message: `${shared} is missing` },
    /ONNXRUNTIME_NODE_INSTALL=cuda12 node .*install\.js.*wheel onnxruntime-gpu \d/,
  ],
  [
    'one of them alone',
    notLoaded(provider, `/app/bin/${provider}${absent}`),
    { kind: 'provider', library: provider },
    /onnxruntime-gpu/,
  ],
  [
    'cuBLAS of CUDA 12',
    notLoaded(provider, `libcublasLt.so.12${absent}`),
    { kind: 'library', library: 'libcublasLt.so.12', message: 'libcublasLt.so.12 is missing' },
    /cuBLAS of CUDA 12.*nvidia-cublas-cu12.*LD_LIBRARY_PATH/,
  ],
  [
    'cuBLAS of CUDA 13',
    notLoaded(provider, `libcublasLt.so.13${absent}`),
    { kind: 'library', library: 'libcublasLt.so.13' },
    /cuBLAS of CUDA 13/,
  ],
  [
    'the CUDA runtime',
    notLoaded(provider, `libcudart.so.12${absent}`),
    { kind: 'library', library: 'libcudart.so.12' },
    /runtime of CUDA 12/,
  ],
  [
    'cuFFT',
    notLoaded(provider, `libcufft.so.11${absent}`),
    { kind: 'library', library: 'libcufft.so.11' },
    /cuFFT of CUDA 12/,
  ],
  [
    'cuRAND',
    notLoaded(provider, `libcurand.so.10${absent}`),
    { kind: 'library', library: 'libcurand.so.10' },
    /cuRAND/,
  ],
  [
    'cuDNN',
    notLoaded(provider, `libcudnn.so.9${absent}`),
    { kind: 'library', library: 'libcudnn.so.9' },
    /cuDNN 9.*nvidia-cudnn-cu12/,
  ],
  [
    'a part of cuDNN',
    notLoaded(provider, `libcudnn_adv.so.9${absent}`),
    { kind: 'library', library: 'libcudnn_adv.so.9' },
    /cuDNN 9/,
  ],
  [
    'a part of cuDNN that is opened later',
    'Unable to load any of {libcudnn_ops.so.9.1.0, libcudnn_ops.so.9.1, libcudnn_ops.so.9, libcudnn_ops.so}\n' +
      'Invalid handle. Cannot load symbol cudnnCreateTensorDescriptor\n',
    { kind: 'library', library: 'libcudnn_ops.so.9' },
    /cuDNN 9/,
  ],
  [
    'cuDNN where it is opened later',
    'Error: cuDNN is not available. Install cuDNN, update the system library search path, or set enable_cudnn=0',
    { kind: 'library', library: 'libcudnn.so.9' },
    /cuDNN 9/,
  ],
  [
    'the driver',
    notLoaded(provider, `libcuda.so.1${absent}`),
    { kind: 'driver', library: 'libcuda.so.1' },
    /Install the NVIDIA driver.*--gpus all/,
  ],
  [
    'a library that nobody knows',
    notLoaded(provider, `libnew.so.3${absent}`),
    { kind: 'library', library: 'libnew.so.3' },
    /the package that holds libnew\.so\.3/,
  ],
  [
    'a provider that wants a newer driver',
    notLoaded(provider, `/app/bin/${provider}: undefined symbol: cuTensorMapEncodeTiled`),
    { kind: 'driver', library: 'libcuda.so.1', message: 'the NVIDIA driver has no cuTensorMapEncodeTiled' },
    /newer NVIDIA driver/,
  ],
  [
    'a provider that was cut short',
    notLoaded(provider, `/app/bin/${provider}: file too short`),
    { kind: 'mismatch', library: provider, message: `${provider} is there but cannot be loaded: file too short` },
    /Replace it by the file of onnxruntime \d/,
  ],
  [
    'parts of cuDNN that do not belong together',
    'Could not load library libcudnn_cnn.so.9. Error: /usr/lib/libcudnn_cnn.so.9: undefined symbol: x, version libcudnn_ops.so.9\n',
    { kind: 'mismatch', library: 'libcudnn_cnn.so.9' },
    /belong together/,
  ],
  [
    'a driver that is too old',
    cudaFailure(35, 'CUDA driver version is insufficient for CUDA runtime version'),
    {
      kind: 'driver',
      library: 'libcuda.so.1',
      message: 'CUDA error 35: CUDA driver version is insufficient for CUDA runtime version',
    },
    /newer NVIDIA driver/,
  ],
  ['no GPU', cudaFailure(100, 'no CUDA-capable device is detected'), { kind: 'gpu' }, /CUDA_VISIBLE_DEVICES/],
  [
    'no GPU of this index',
    cudaFailure(101, 'invalid device ordinal'),
    { kind: 'gpu', message: 'CUDA error 101: invalid device ordinal: there is no GPU 3' },
    /counts from 0/,
  ],
  ['a full GPU', cudaFailure(2, 'out of memory'), { kind: 'memory' }, /another with --device/],
  ['any other CUDA error', cudaFailure(719, 'unspecified launch failure'), { kind: 'gpu' }, /nvidia-smi/],
  [
    'cuBLAS that does not start',
    'Error: CUBLAS failure 1: CUBLAS_STATUS_NOT_INITIALIZED ; GPU=0 ; hostname=secret ; ',
    { kind: 'gpu', message: 'cuBLAS does not start: CUBLAS_STATUS_NOT_INITIALIZED' },
    /memory/,
  ],
  [
    'a machine for which there is no CUDA',
    'Error: no available backend found. ERR: [cuda] backend not found.',
    { kind: 'platform' },
    /Linux on x64/,
  ],
  [
    'a session that would run on the CPU',
    'Error: This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been ' +
      'explicitly disabled by the user.',
    { kind: 'mismatch', library: provider },
    /onnxruntime-gpu/,
  ],
  ['wrong numbers', 'Error: the GPU computed 0 0 instead of 22 32', { kind: 'gpu' }, /faulty/],
  ['anything else', 'Error: Alas! hostname=secret', { kind: 'unknown', message: 'Error: Alas!' }, /doctor --gpu/],
];

for (const [title, text, expected, remedy] of cases) {
  test(`explains: ${title}`, (t) => {
    const problem = explainProbe(3, { code: 1, signal: null, text })!;
    t.like(problem, expected);
    t.regex(problem.remedy, remedy);
    t.notRegex(`${problem.message}${problem.remedy}`, /secret|\n|\[\d*m/);
  });
}

test('an attempt that ended its process is explained, and one that took too long', (t) => {
  const crash = explainProbe(0, { code: null, signal: 'SIGBUS', text: '' })!;
  t.like(crash, { kind: 'crash', library: null });
  t.regex(crash.message, /SIGBUS/);
  t.regex(explainProbe(0, { code: 134, signal: null, text: '' })!.message, /134/);
  t.regex(explainProbe(0, { code: null, signal: 'SIGKILL', text: '' })!.message, /too long/);
  t.is(explainProbe(0, { code: 1, signal: null, text: '' })!.kind, 'unknown');
});

test('only a process that ended well and said so has computed', (t) => {
  t.is(explainProbe(0, { code: 0, signal: null, text: 'usable\n' }), null);
  t.is(explainProbe(0, { code: 0, signal: null, text: 'some warning\nusable\n' }), null);
  t.not(explainProbe(0, { code: 0, signal: null, text: '' }), null);
  t.not(explainProbe(0, { code: null, signal: 'SIGSEGV', text: 'usable\n' }), null);
});
