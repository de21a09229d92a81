/**
 * The gate of a SwiGLU feed-forward layer, https://arxiv.org/abs/2002.05202
 * N = rows (batch × tokens), F = feed-forward width
 */
import type { Value } from '../onnx/encode-model.ts';
import type { Tape } from './tape.ts';

/**
 * y = gate · sigmoid(gate) · up.
 * @param gate [N, F]
 * @param up [N, F]
 * @returns [N, F]
 */
export function swiglu(tape: Tape, gate: Value, up: Value): Value {
  const { graph } = tape;
  const sigmoid = graph.node('Sigmoid', [gate], gate.shape);
  const silu = graph.mul(gate, sigmoid);
  return tape.record(graph.mul(silu, up), (dy, contribute) => {
    contribute(up, graph.mul(dy, silu));
    // d silu / d gate = sigmoid + silu·(1 − sigmoid)
    const slope = graph.add(sigmoid, graph.sub(silu, graph.mul(silu, sigmoid)));
    contribute(gate, graph.mul(graph.mul(dy, up), slope));
  });
}
