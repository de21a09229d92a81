/**
 * Cross-entropy of next-token predictions, in nats.
 * N = rows (batch × tokens), V = vocabulary size
 */
import type { Value } from '../onnx/encode-model.ts';
import type { GraphBuilder } from '../onnx/graph-builder.ts';
import type { Tape } from './tape.ts';

/**
 * Mean over the rows of −log softmax(logits)[target].
 * @param logits [N, V]
 * @param targets [N], int32, 0 to V − 1
 * @returns a scalar, nats
 */
export function crossEntropy(tape: Tape, logits: Value, targets: Value): Value {
  const { graph } = tape;
  const rows = logits.shape[0] as number;
  const { logProbabilities, negative } = pick(graph, logits, targets);
  const loss = graph.mul(graph.sum(negative, 0, false), graph.constant([1 / rows]));
  return tape.record(graph.reshape(loss, []), (dLoss, contribute) => {
    // d loss / d logits = (softmax − one-hot of the target) / N
    const minusOne = graph.node('Expand', [graph.constant([-1]), graph.integers([rows, 1])], [rows, 1]);
    const softmax = graph.node('Exp', [logProbabilities], logits.shape);
    const error = graph.node('ScatterElements', [softmax, column(graph, targets), minusOne], logits.shape, {
      attributes: { axis: 1, reduction: 'add' },
    });
    contribute(logits, graph.mul(error, graph.mul(dLoss, graph.constant([1 / rows]))));
  });
}

/**
 * −log softmax(logits)[target] of every row; not differentiable.
 * @returns [N], nats
 */
export function tokenLosses(graph: GraphBuilder, logits: Value, targets: Value): Value {
  return graph.reshape(pick(graph, logits, targets).negative, [logits.shape[0] as number]);
}

function pick(graph: GraphBuilder, logits: Value, targets: Value): { logProbabilities: Value; negative: Value } {
  const rows = logits.shape[0] as number;
  const logProbabilities = graph.node('LogSoftmax', [logits], logits.shape, { attributes: { axis: -1 } });
  const picked = graph.node('GatherElements', [logProbabilities, column(graph, targets)], [rows, 1], {
    attributes: { axis: 1 },
  });
  return { logProbabilities, negative: graph.node('Neg', [picked], [rows, 1]) };
}

function column(graph: GraphBuilder, targets: Value): Value {
  return graph.reshape(targets, [targets.shape[0] as number, 1]);
}
