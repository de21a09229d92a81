/**
 * Token embedding, with three ways to add up its gradient. All give the same sums; they differ in what is fast and in
 * what repeats bit for bit where. spec/devices.md#embedding-gradient
 * N = rows (batch × tokens of one pass), V = vocabulary size, D = width
 */
import { elementTypes, type Value } from '../onnx/encode-model.ts';
import type { GraphBuilder } from '../onnx/graph-builder.ts';
import { gemm } from './linear.ts';
import type { Tape } from './tape.ts';

/** How the gradient of an embedding is added up: `embedding`, `oneHotEmbedding` or `distinctEmbedding`. */
export type EmbeddingGradient = 'scatter' | 'one-hot' | 'distinct';

/**
 * The way to take. A CPU adds in order by itself; on CUDA additions to one place are atomic and their order changes from
 * run to run, so there a matrix product adds them, over as few ids as there can be.
 */
export function chooseEmbeddingGradient(device: 'cpu' | 'cuda', rows: number, vocabSize: number): EmbeddingGradient {
  if (device === 'cpu') {
    return 'scatter';
  }
  return vocabSize <= rows ? 'one-hot' : 'distinct';
}

/**
 * Row `tokens[n]` of the table for every n. Its gradient scatters: right on a CPU.
 * @param table [V, D]
 * @param tokens [N], int32, 0 to V − 1
 * @returns [N, D]
 */
export function embedding(tape: Tape, table: Value, tokens: Value): Value {
  const { graph } = tape;
  const shape = [tokens.shape[0] as number, table.shape[1] as number];
  const y = graph.node('Gather', [table, tokens], shape);
  return tape.record(y, (dy, contribute) => {
    // ScatterElements adds in one thread and in order. ScatterND with a reduction would race and lose additions.
    const rows = graph.reshape(tokens, [shape[0]!, 1]);
    const indices = graph.node('Expand', [rows, graph.integers(shape)], shape, { type: 'int32' });
    contribute(table, (sum) =>
      graph.node('ScatterElements', [sum ?? zeros(graph, table), indices, dy], table.shape, {
        attributes: { axis: 0, reduction: 'add' },
      }),
    );
  });
}

/**
 * As `embedding`; its gradient is one product, oneHot(tokens)ᵀ·dy, added to the sum so far by the product itself.
 * For small vocabularies: it takes N·V numbers, as many as the logits.
 */
export function oneHotEmbedding(tape: Tape, table: Value, tokens: Value): Value {
  const { graph } = tape;
  const [vocabSize, width] = table.shape as [number, number];
  const y = graph.node('Gather', [table, tokens], [tokens.shape[0]!, width]);
  return tape.record(y, (dy, contribute) => {
    contribute(table, (plus) => gemm(graph, oneHot(graph, tokens, vocabSize), dy, { transA: true, plus }));
  });
}

/**
 * As `embedding`; its gradient is a product over the ids of this pass alone, whose rows then take the place of the old
 * ones. For vocabularies larger than N: it takes N·N numbers.
 * @param ids [N], int32, all different, the ids among the tokens and others to fill up; `computeDistinctIds`
 * @param ranks [N], int32, where each token's id is in `ids`
 */
export function distinctEmbedding(tape: Tape, table: Value, tokens: Value, ids: Value, ranks: Value): Value {
  const { graph } = tape;
  const rows = tokens.shape[0] as number;
  const width = table.shape[1] as number;
  const y = graph.node('Gather', [table, tokens], [rows, width]);
  return tape.record(y, (dy, contribute) => {
    contribute(table, (sum) => {
      const plus = sum === null ? null : graph.node('Gather', [sum, ids], [rows, width]);
      const updated = gemm(graph, oneHot(graph, ranks, rows), dy, { transA: true, plus });
      // Without a reduction and with no id twice, no two threads write to one place.
      const places = graph.reshape(cast(graph, ids, 'int64'), [rows, 1]);
      return graph.node('ScatterND', [sum ?? zeros(graph, table), places, updated], table.shape);
    });
  });
}

/** [N, count]: 1 where the column is the index, else 0. The operator OneHot has no kernel for doubles. */
function oneHot(graph: GraphBuilder, indices: Value, count: number): Value {
  const rows = indices.shape[0] as number;
  const column = graph.reshape(cast(graph, indices, 'int64'), [rows, 1]);
  const numbers = graph.integers([...Array(count).keys()], [1, count]);
  const equal = graph.node('Equal', [column, numbers], [rows, count], { type: 'bool' });
  return cast(graph, equal, graph.real);
}

function cast(graph: GraphBuilder, x: Value, type: keyof typeof elementTypes): Value {
  return graph.node('Cast', [x], x.shape, { type, attributes: { to: elementTypes[type] } });
}

function zeros(graph: GraphBuilder, table: Value): Value {
  const shape = table.shape as number[];
  return graph.node('Expand', [graph.constant([0]), graph.integers(shape)], shape);
}
