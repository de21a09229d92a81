/**
 * Causal attention with grouped queries. The G query heads that share a key-value head are stacked as rows of one
 * matrix, so keys and values are never repeated. https://arxiv.org/abs/2305.13245
 * B = batch, T = tokens, H = query heads, K = key-value heads, G = H / K, d = width of a head
 */
import type { Value } from '../onnx/encode-model.ts';
import type { GraphBuilder } from '../onnx/graph-builder.ts';
import { matmul } from './linear.ts';
import type { Tape } from './tape.ts';

/** Sizes of one attention layer. */
export interface AttentionShape {
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/**
 * softmax(q·kᵀ / √d)·v over the tokens up to and including the own one.
 * @param q [B·T, H·d]
 * @param k [B·T, K·d]
 * @param v [B·T, K·d]
 * @returns [B·T, H·d]
 */
export function causalAttention(tape: Tape, q: Value, k: Value, v: Value, shape: AttentionShape): Value {
  const { graph } = tape;
  const { batch, tokens, heads, kvHeads, headDim } = shape;
  const alpha = 1 / Math.sqrt(headDim);
  const groups = heads / kvHeads;
  const queries = groupHeads(graph, q, shape, groups);
  const keys = groupHeads(graph, k, shape, 1);
  const values = groupHeads(graph, v, shape, 1);
  const scores = matmul(graph, queries, keys, { transB: true, alpha });
  const square = graph.reshape(scores, [batch * heads, tokens, tokens]);
  const masked = graph.add(square, graph.constant(causalMask(tokens), [tokens, tokens]));
  const softmax = graph.node('Softmax', [masked], masked.shape, { attributes: { axis: -1 } });
  const weights = graph.reshape(softmax, [batch, kvHeads, groups * tokens, tokens]);
  const mixed = matmul(graph, weights, values);
  return tape.record(ungroupHeads(graph, mixed, shape, groups), (dy, contribute) => {
    const dMixed = groupHeads(graph, dy, shape, groups);
    contribute(v, ungroupHeads(graph, matmul(graph, weights, dMixed, { transA: true }), shape, 1));
    // Softmax: dScores = weights·(dWeights − Σ weights·dWeights), and that sum is the same as Σ mixed·dMixed.
    const dWeights = matmul(graph, dMixed, values, { transB: true });
    const dScores = graph.mul(weights, graph.sub(dWeights, graph.sum(graph.mul(mixed, dMixed), -1)));
    contribute(q, ungroupHeads(graph, matmul(graph, dScores, keys, { alpha }), shape, groups));
    contribute(k, ungroupHeads(graph, matmul(graph, dScores, queries, { transA: true, alpha }), shape, 1));
  });
}

/** [B·T, K·G·d] → [B, K, G·T, d] */
function groupHeads(graph: GraphBuilder, x: Value, shape: AttentionShape, groups: number): Value {
  const { batch, tokens, kvHeads, headDim } = shape;
  const apart = graph.reshape(x, [batch, tokens, kvHeads, groups, headDim]);
  return graph.reshape(graph.transpose(apart, [0, 2, 3, 1, 4]), [batch, kvHeads, groups * tokens, headDim]);
}

/** [B, K, G·T, d] → [B·T, K·G·d] */
function ungroupHeads(graph: GraphBuilder, x: Value, shape: AttentionShape, groups: number): Value {
  const { batch, tokens, kvHeads, headDim } = shape;
  const apart = graph.reshape(x, [batch, kvHeads, groups, tokens, headDim]);
  return graph.reshape(graph.transpose(apart, [0, 3, 1, 2, 4]), [batch * tokens, kvHeads * groups * headDim]);
}

function causalMask(tokens: number): Float32Array {
  const mask = new Float32Array(tokens * tokens);
  for (let row = 0; row < tokens; row++) {
    mask.fill(Number.NEGATIVE_INFINITY, row * tokens + row + 1, (row + 1) * tokens);
  }
  return mask;
}
