/**
 * The model as a graph that continues a text: some new tokens in, the logits after the last of them out. Keys and
 * values of earlier tokens come in and go out, so they are computed once. Nothing here is differentiable.
 * spec/generation.md#key-value-cache
 *
 * T = new tokens, P = past tokens, S = P + T, D = dim, V = vocabulary size,
 * H = query heads, K = key-value heads, G = H / K, d = width of a head
 */
import { computeModelLayout, type ModelConfig } from '../../protocol/model.ts';
import { contribDomain, encodeModel, type Value } from '../onnx/encode-model.ts';
import { GraphBuilder } from '../onnx/graph-builder.ts';
import { embedding } from './embedding.ts';
import { linear, matmul } from './linear.ts';
import { rmsNorm } from './rms-norm.ts';
import { computeRotaryTable } from './rotary.ts';
import { swiglu } from './swiglu.ts';
import { Tape } from './tape.ts';

/** Beginnings of the names of cached tensors: `past.` and `present.`, then `key.` or `value.`, then the layer. */
export const cacheNames = { past: 'past.', present: 'present.', kinds: ['key.', 'value.'] } as const;

/** What all layers share: sizes, and values that follow from T and P. */
interface Surroundings {
  readonly kvHeads: number;
  readonly groups: number;
  readonly headDim: number;
  /** [1] int64, P: the position of the first new token */
  readonly position: Value;
  /** cosines and sines of every position, [contextLength, d/2] each */
  readonly angles: readonly Value[];
  /** [G·T, S]: 0 where a new token may look, −∞ at tokens behind it */
  readonly mask: Value;
}

/**
 * Inputs: every parameter under its name in the layout, `tokens` [T] int32, and for every layer `past.key.` and
 * `past.value.` [K, P, d], where P may be 0 and T may not. P + T must not pass `contextLength`.
 * Outputs: `logits` [1, V] after the last token, and for every layer `present.key.` and `present.value.` [K, S, d].
 * Keys are kept turned by their positions, 0 being the oldest token of the cache.
 */
export function encodeDecodeGraph(model: ModelConfig): Uint8Array {
  const graph = new GraphBuilder('float');
  const tape = new Tape(graph);
  const parameters = computeModelLayout(model).tensors.map(({ name, shape }) => graph.input(name, 'float', shape));
  const tokens = graph.input('tokens', 'int32', ['T']);
  const past = Array.from({ length: model.layers }, (_, layer) =>
    cacheNames.kinds.map((kind) =>
      graph.input(cacheNames.past + kind + layer, 'float', [model.kvHeads, 'P', model.dim / model.heads]),
    ),
  );
  const around = createSurroundings(graph, model, tokens, past[0]![0]!);
  const present: Record<string, Value> = {};
  let next = 0;
  const take = (): Value => parameters[next++]!;

  const embeddings = take();
  let x = embedding(tape, embeddings, tokens);
  for (const [layer, cached] of past.entries()) {
    const h = rmsNorm(tape, x, take(), model.normEpsilon);
    const q = turn(graph, linear(tape, h, take()), around);
    const k = turn(graph, linear(tape, h, take()), around);
    const v = linear(tape, h, take());
    const [keys, values] = [k, v].map((fresh, at) => extend(graph, cached[at]!, fresh, around)) as [Value, Value];
    present[cacheNames.present + cacheNames.kinds[0] + layer] = keys;
    present[cacheNames.present + cacheNames.kinds[1] + layer] = values;
    x = linear(tape, attend(graph, q, keys, values, around), take(), x);
    const g = rmsNorm(tape, x, take(), model.normEpsilon);
    const gate = linear(tape, g, take());
    const up = linear(tape, g, take());
    x = linear(tape, swiglu(tape, gate, up), take(), x);
  }
  const last = graph.node('Gather', [x, graph.integers([-1])], [1, model.dim]);
  const y = rmsNorm(tape, last, take(), model.normEpsilon);
  const logits = linear(tape, y, model.tiedEmbeddings ? embeddings : take());
  return encodeModel(graph.finish('decode', { logits, ...present }));
}

const int64 = { type: 'int64' } as const;

function createSurroundings(graph: GraphBuilder, model: ModelConfig, tokens: Value, past: Value): Surroundings {
  const { contextLength, ropeTheta, kvHeads } = model;
  const headDim = model.dim / model.heads;
  const groups = model.heads / kvHeads;
  const table = computeRotaryTable(contextLength, headDim, ropeTheta);
  const angles = [table.cos, table.sin].map((values) => graph.constant(values, [contextLength, headDim / 2]));
  const position = graph.node('Shape', [past], [1], { ...int64, attributes: { start: 1, end: 2 } });
  const count = graph.node('Shape', [tokens], [1], int64);
  const total = graph.node('Add', [position, count], [1], int64);
  const sizes = graph.node('Concat', [count, total], [2], { ...int64, attributes: { axis: 0 } });
  const hidden = graph.node('Expand', [graph.constant([Number.NEGATIVE_INFINITY]), sizes], ['T', 'S']);
  // Row t may see columns 0 … P + t, so what is kept begins one diagonal above.
  const behind = graph.reshape(graph.node('Add', [position, graph.integers([1])], [1], int64), []);
  const mask = graph.node('Trilu', [hidden, behind], ['T', 'S'], { attributes: { upper: 1 } });
  const tiled = graph.node('Tile', [mask, graph.integers([groups, 1])], ['GT', 'S']);
  return { kvHeads, groups, headDim, position, angles, mask: tiled };
}

/** Turns every head of [T, heads·d] by the angles of its position. */
function turn(graph: GraphBuilder, x: Value, { position, angles }: Surroundings): Value {
  const width = x.shape[1]!;
  const inputs = [graph.reshape(x, [1, 'T', width]), position, ...angles];
  return graph.reshape(graph.node('RotaryEmbedding', inputs, [1, 'T', width], { domain: contribDomain }), ['T', width]);
}

/** [K, P, d] and [T, K·d] → [K, S, d] */
function extend(graph: GraphBuilder, past: Value, fresh: Value, { kvHeads, headDim }: Surroundings): Value {
  const heads = graph.transpose(graph.reshape(fresh, ['T', kvHeads, headDim]), [1, 0, 2]);
  return graph.node('Concat', [past, heads], [kvHeads, 'S', headDim], { attributes: { axis: 1 } });
}

/** [T, H·d] attends to keys and values [K, S, d]; the G heads that share a key are rows of one matrix. */
function attend(graph: GraphBuilder, q: Value, keys: Value, values: Value, around: Surroundings): Value {
  const { kvHeads, groups, headDim, mask } = around;
  const apart = graph.transpose(graph.reshape(q, ['T', kvHeads, groups, headDim]), [1, 2, 0, 3]);
  const queries = graph.reshape(apart, [kvHeads, 'GT', headDim]);
  const scores = graph.add(matmul(graph, queries, keys, { transB: true, alpha: 1 / Math.sqrt(headDim) }), mask);
  const weights = graph.node('Softmax', [scores], scores.shape, { attributes: { axis: -1 } });
  const mixed = graph.reshape(matmul(graph, weights, values), [kvHeads, groups, 'T', headDim]);
  return graph.reshape(graph.transpose(mixed, [2, 0, 1, 3]), ['T', kvHeads * groups * headDim]);
}
