/**
 * Rotary position embedding in the layout of Hugging Face's Llama: element j of the first half of a head turns with
 * element j of the second half. https://arxiv.org/abs/2104.09864
 * B = batch, T = tokens, d = width of a head
 */
import { contribDomain, type Value } from '../onnx/encode-model.ts';
import type { GraphBuilder } from '../onnx/graph-builder.ts';
import type { Tape } from './tape.ts';

/** Cosines and sines of the angles of every position: T × d/2, row-major, rounded to float32. */
export interface RotaryTable {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** Angles position · theta^(−2j/d) of positions 0 … length − 1. */
export function computeRotaryTable(length: number, headDim: number, theta: number): RotaryTable {
  const half = headDim / 2;
  const cos = new Float32Array(length * half);
  const sin = new Float32Array(length * half);
  for (let position = 0; position < length; position++) {
    for (let j = 0; j < half; j++) {
      const angle = position * theta ** ((-2 * j) / headDim);
      cos[position * half + j] = Math.cos(angle);
      sin[position * half + j] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

/**
 * Turns every head of every token by the angles of its position.
 * @param x [B·T, heads·d]
 * @returns the same shape
 */
export function rotary(tape: Tape, x: Value, batch: number, table: RotaryTable, headDim: number): Value {
  const { graph } = tape;
  const back = { cos: table.cos, sin: table.sin.map((value) => -value) };
  return tape.record(rotate(graph, x, batch, table, headDim), (dy, contribute) => {
    contribute(x, rotate(graph, dy, batch, back, headDim));
  });
}

function rotate(graph: GraphBuilder, x: Value, batch: number, table: RotaryTable, headDim: number): Value {
  const [rows, width] = x.shape as [number, number];
  const tokens = rows / batch;
  const half = headDim / 2;
  if (graph.real === 'float') {
    const shape = [batch, tokens, width];
    const caches = [table.cos, table.sin].map((values) => graph.constant(values, [tokens, half]));
    const inputs = [graph.reshape(x, shape), graph.integers([0]), ...caches];
    return graph.reshape(graph.node('RotaryEmbedding', inputs, shape, { domain: contribDomain }), [rows, width]);
  }
  // The kernel exists for floats alone; doubles take it apart.
  const heads = width / headDim;
  const [cos, sin] = [table.cos, table.sin].map((values) => graph.constant(values, [tokens, 1, half]));
  const halves = [batch, tokens, heads, half];
  const [first, second] = graph.nodes('Split', [graph.reshape(x, [batch, tokens, heads, headDim])], [halves, halves], {
    attributes: { axis: -1, num_outputs: 2 },
  });
  const turned = [
    graph.sub(graph.mul(first!, cos!), graph.mul(second!, sin!)),
    graph.add(graph.mul(second!, cos!), graph.mul(first!, sin!)),
  ];
  const joined = graph.node('Concat', turned, [batch, tokens, heads, headDim], { attributes: { axis: -1 } });
  return graph.reshape(joined, [rows, width]);
}
