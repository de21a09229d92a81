/**
 * Token embedding.
 * N = rows (batch × tokens), V = vocabulary size, D = width
 */
import type { Value } from '../onnx/encode-model.ts';
import type { Tape } from './tape.ts';

/**
 * Row `tokens[n]` of the table for every n.
 * @param table [V, D]
 * @param tokens [N], int32, 0 to V − 1
 * @returns [N, D]
 */
export function embedding(tape: Tape, table: Value, tokens: Value): Value {
  const { graph } = tape;
  const rows = tokens.shape[0] as number;
  const [vocabSize, width] = table.shape as [number, number];
  const y = graph.node('Gather', [table, tokens], [rows, width]);
  return tape.record(y, (dy, contribute) => {
    // ScatterElements adds in one thread and in order. ScatterND with a reduction would race and lose additions.
    const shape = [rows, width];
    const indices = graph.node('Expand', [graph.reshape(tokens, [rows, 1]), graph.integers(shape)], shape, {
      type: 'int32',
    });
    const empty = graph.node('Expand', [graph.constant([0]), graph.integers([vocabSize, width])], [vocabSize, width]);
    contribute(table, (sum) =>
      graph.node('ScatterElements', [sum ?? empty, indices, dy], [vocabSize, width], {
        attributes: { axis: 0, reduction: 'add' },
      }),
    );
  });
}
