/**
 * Causal attention with grouped queries, in blocks of queries: a block reads only the keys that it may see, so that
 * nearly half of the products are never computed. The G query heads that share a key-value head are stacked as rows of
 * one matrix, so keys and values are never repeated. https://arxiv.org/abs/2305.13245 spec/trainer.md#attention
 * B = batch, T = tokens, H = query heads, K = key-value heads, G = H / K, d = width of a head, S = tokens of a block,
 * E = tokens up to the end of a block
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

/** Smaller blocks skip more of what is masked, but their products are too small to be fast. */
const leastBlock = 64;
const mostBlocks = 8;

/** One block of queries and what the backward pass needs of it. */
interface Block {
  /** [B, K, G·S, d] */
  readonly queries: Value;
  /** [B, K, E, d] */
  readonly keys: Value;
  /** [B, K, E, d] */
  readonly values: Value;
  /** [B, K, G·S, E] */
  readonly weights: Value;
  /** [B, K, G·S, d] */
  readonly mixed: Value;
}

/** Blocks that the queries of a sequence are cut into: as many as divide it and keep at least 64 tokens, at most 8. */
export function computeBlockCount(tokens: number): number {
  let count = 1;
  for (let candidate = 2; candidate <= mostBlocks; candidate++) {
    if (tokens % candidate === 0 && tokens / candidate >= leastBlock) {
      count = candidate;
    }
  }
  return count;
}

/**
 * softmax(q·kᵀ / √d)·v over the tokens up to and including the own one.
 * @param q [B·T, H·d]
 * @param k [B·T, K·d]
 * @param v [B·T, K·d]
 * @param count blocks of queries; divides T
 * @returns [B·T, H·d]
 */
export function causalAttention(
  tape: Tape,
  q: Value,
  k: Value,
  v: Value,
  shape: AttentionShape,
  count: number = computeBlockCount(shape.tokens),
): Value {
  const { graph } = tape;
  const alpha = 1 / Math.sqrt(shape.headDim);
  const keys = splitHeads(graph, k, shape);
  const values = splitHeads(graph, v, shape);
  const blocks = splitQueries(graph, q, shape, count).map((queries, at): Block => {
    const end = ((at + 1) * shape.tokens) / count;
    const seen = { keys: takePrefix(graph, keys, end), values: takePrefix(graph, values, end) };
    const weights = softmax(graph, matmul(graph, queries, seen.keys, { transB: true, alpha }), shape, count);
    return { queries, ...seen, weights, mixed: matmul(graph, weights, seen.values) };
  });
  const mixed = blocks.map((block) => block.mixed);
  return tape.record(joinQueries(graph, mixed, shape), (dy, contribute) => {
    const gradients = splitQueries(graph, dy, shape, count).map((dMixed, at) => {
      const block = blocks[at]!;
      // Softmax: dScores = weights·(dWeights − Σ weights·dWeights), and that sum is the same as Σ mixed·dMixed.
      const dWeights = matmul(graph, dMixed, block.values, { transB: true });
      const dScores = graph.mul(block.weights, graph.sub(dWeights, graph.sum(graph.mul(block.mixed, dMixed), -1)));
      return {
        values: matmul(graph, block.weights, dMixed, { transA: true }),
        queries: matmul(graph, dScores, block.keys, { alpha }),
        keys: matmul(graph, dScores, block.queries, { transA: true, alpha }),
      };
    });
    const sum = (of: 'values' | 'keys'): Value =>
      joinHeads(
        graph,
        addPrefixes(
          graph,
          gradients.map((gradient) => gradient[of]),
        ),
        shape,
      );
    contribute(v, sum('values'));
    const dQueries = gradients.map((gradient) => gradient.queries);
    contribute(q, joinQueries(graph, dQueries, shape));
    contribute(k, sum('keys'));
  });
}

/** Scores of one block to weights. @param scores [B, K, G·S, E] */
function softmax(graph: GraphBuilder, scores: Value, shape: AttentionShape, count: number): Value {
  const { batch, tokens, heads } = shape;
  const end = scores.shape.at(-1) as number;
  const size = tokens / count;
  const square = graph.reshape(scores, [batch * heads, size, end]);
  const masked = graph.add(square, graph.constant(causalMask(size, end), [size, end]));
  const weights = graph.node('Softmax', [masked], masked.shape, { attributes: { axis: -1 } });
  return graph.reshape(weights, scores.shape as number[]);
}

/** [B·T, K·G·d] → one [B, K, G·S, d] for every block */
function splitQueries(graph: GraphBuilder, x: Value, shape: AttentionShape, count: number): Value[] {
  const { batch, tokens, heads, kvHeads, headDim } = shape;
  const groups = heads / kvHeads;
  const size = tokens / count;
  const parts = split(graph, graph.reshape(x, [batch, tokens, kvHeads, groups, headDim]), 1, count);
  return parts.map((part) =>
    graph.reshape(graph.transpose(part, [0, 2, 3, 1, 4]), [batch, kvHeads, groups * size, headDim]),
  );
}

/** The reverse of `splitQueries`. */
function joinQueries(graph: GraphBuilder, blocks: readonly Value[], shape: AttentionShape): Value {
  const { batch, tokens, heads, kvHeads, headDim } = shape;
  const apart = [batch, kvHeads, heads / kvHeads, tokens / blocks.length, headDim];
  const parts = blocks.map((block) => graph.transpose(graph.reshape(block, apart), [0, 3, 1, 2, 4]));
  return graph.reshape(concat(graph, parts, 1), [batch * tokens, heads * headDim]);
}

/** [B·T, K·d] → [B, K, T, d] */
function splitHeads(graph: GraphBuilder, x: Value, shape: AttentionShape): Value {
  const { batch, tokens, kvHeads, headDim } = shape;
  return graph.transpose(graph.reshape(x, [batch, tokens, kvHeads, headDim]), [0, 2, 1, 3]);
}

/** [B, K, T, d] → [B·T, K·d] */
function joinHeads(graph: GraphBuilder, x: Value, shape: AttentionShape): Value {
  const { batch, tokens, kvHeads, headDim } = shape;
  return graph.reshape(graph.transpose(x, [0, 2, 1, 3]), [batch * tokens, kvHeads * headDim]);
}

/** The first `end` tokens of [B, K, T, d]. */
function takePrefix(graph: GraphBuilder, x: Value, end: number): Value {
  const [batch, kvHeads, tokens, headDim] = x.shape as [number, number, number, number];
  if (end === tokens) {
    return x;
  }
  const range = [0, end, 2].map((bound) => graph.integers([bound]));
  return graph.node('Slice', [x, ...range], [batch, kvHeads, end, headDim]);
}

/** Sum of [B, K, E, d] of every block, in ascending order of E, where what a block does not reach counts as zero. */
function addPrefixes(graph: GraphBuilder, prefixes: readonly Value[]): Value {
  const pieces = prefixes.map((prefix, at) => split(graph, prefix, 2, at + 1));
  const sums = prefixes.map((_, row) =>
    pieces
      .slice(row)
      .map((piece) => piece[row]!)
      .reduce((sum, piece) => graph.add(sum, piece)),
  );
  return concat(graph, sums, 2);
}

/** `count` equal parts along an axis. */
function split(graph: GraphBuilder, x: Value, axis: number, count: number): Value[] {
  if (count === 1) {
    return [x];
  }
  const shape = x.shape.with(axis, (x.shape[axis] as number) / count);
  const shapes = Array.from({ length: count }, () => shape);
  return graph.nodes('Split', [x], shapes, { attributes: { axis, num_outputs: count } });
}

/** Equal parts put together along an axis. */
function concat(graph: GraphBuilder, parts: readonly Value[], axis: number): Value {
  const [first] = parts as [Value];
  if (parts.length === 1) {
    return first;
  }
  const shape = first.shape.with(axis, (first.shape[axis] as number) * parts.length);
  return graph.node('Concat', parts, shape, { attributes: { axis } });
}

/** Zero where row `r` of the last `size` of `end` tokens may look, −∞ beyond. */
function causalMask(size: number, end: number): Float32Array {
  const mask = new Float32Array(size * end);
  for (let row = 0; row < size; row++) {
    mask.fill(Number.NEGATIVE_INFINITY, row * end + end - size + row + 1, (row + 1) * end);
  }
  return mask;
}
