/**
 * Root-mean-square normalisation, https://arxiv.org/abs/1910.07467
 * N = rows (batch × tokens), D = width
 */
import type { Value } from '../onnx/encode-model.ts';
import type { GraphBuilder } from '../onnx/graph-builder.ts';
import { gemm } from './linear.ts';
import type { Tape } from './tape.ts';

/**
 * y = w · x / √(mean(x²) + epsilon), row by row.
 * @param x [N, D]
 * @param w [D]
 * @returns [N, D]
 */
export function rmsNorm(tape: Tape, x: Value, w: Value, epsilon: number): Value {
  const { graph } = tape;
  const width = w.shape[0] as number;
  const { y, inverse } = normalize(graph, x, w, epsilon);
  return tape.record(y, (dy, contribute) => {
    // With n = x·inverse: dw = Σ_rows dy·n and dx = inverse·(w·dy − n·mean(w·dy·n)).
    const n = graph.mul(x, inverse);
    const dyn = graph.mul(dy, n);
    contribute(w, graph.sum(dyn, 0, false));
    const sum = gemm(graph, dyn, graph.reshape(w, [width, 1]));
    const mean = graph.mul(sum, graph.constant([1 / width]));
    const dx = graph.mul(graph.sub(graph.mul(dy, w), graph.mul(n, mean)), inverse);
    contribute(x, dx);
  });
}

/** The normalised rows, and 1 / √(mean(x²) + epsilon) of each. */
function normalize(graph: GraphBuilder, x: Value, w: Value, epsilon: number): { y: Value; inverse: Value } {
  const [rows, width] = x.shape as [number, number];
  if (graph.real === 'float') {
    const [y, inverse] = graph.nodes('SimplifiedLayerNormalization', [x, w], [x.shape, [rows, 1]], {
      attributes: { axis: -1, epsilon: { float: epsilon } },
    }) as [Value, Value];
    return { y, inverse };
  }
  // The kernel gives its second output as a float, so doubles take it apart.
  const squares = graph.mul(graph.sum(graph.mul(x, x), -1), graph.constant([1 / width]));
  const root = graph.node('Sqrt', [graph.add(squares, graph.constant([epsilon]))], [rows, 1]);
  const inverse = graph.div(graph.constant([1]), root);
  return { y: graph.mul(graph.mul(x, inverse), w), inverse };
}
