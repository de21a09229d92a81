/**
 * Entry of the process that tries a GPU: a product of two matrices, for which cuBLAS is needed, and a sum over its rows in
 * a fixed order, for which cuDNN is. The CPU is forbidden, so a session that only pretends to be on the GPU fails.
 * Says `usable` and ends with 0, or says what went wrong and ends with 1. Usage: node probe-cuda-process.ts INDEX
 */
import { encodeModel } from './onnx/encode-model.ts';
import { GraphBuilder } from './onnx/graph-builder.ts';
import { InferenceSession, Tensor } from './onnx-runtime.ts';

const shape = [2, 2];
const graph = new GraphBuilder('float');
const x = graph.input('x', 'float', shape);
const sums = graph.sum(graph.node('Gemm', [x, x], shape), 0, false);
const model = encodeModel(graph.finish('probe', { sums }));

try {
  const session = await InferenceSession.create(model, {
    executionProviders: [{ name: 'cuda', deviceId: Number(process.argv[2]) }],
    extra: { session: { disable_cpu_ep_fallback: '1', use_deterministic_compute: '1' } },
  });
  // Small whole numbers are exact in TF32 as well.
  const results = await session.run({ x: new Tensor('float32', Float32Array.of(1, 2, 3, 4), shape) });
  const found = [...(results.sums!.data as Float32Array)].join(' ');
  if (found !== '22 32') {
    throw new Error(`the GPU computed ${found} instead of 22 32`);
  }
  process.stdout.write('usable\n');
} catch (error) {
  process.stdout.write(`${String(error)}\n`);
  process.exitCode = 1;
}
