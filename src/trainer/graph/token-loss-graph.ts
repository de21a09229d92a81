/**
 * The loss of every single token, for texts that do not fill their windows. spec/generation.md#evaluating
 * B = windows, T = predictions of a window
 */
import type { ModelConfig } from '../../protocol/model.ts';
import { encodeModel, type Value } from '../onnx/encode-model.ts';
import { GraphBuilder } from '../onnx/graph-builder.ts';
import { tokenLosses } from './cross-entropy.ts';
import { type BatchShape, decoder, parameterInputs } from './decoder.ts';
import { Tape } from './tape.ts';

/**
 * Inputs: every parameter, `inputs` and `targets` [B·T] int32. Output: `losses` [B·T], −ln p(target) of each place
 * given the inputs of its window up to there, in nats.
 */
export function encodeTokenLossGraph(model: ModelConfig, batch: BatchShape): Uint8Array {
  const graph = new GraphBuilder('float');
  const parameters = parameterInputs(graph, model);
  const [inputs, targets] = ['inputs', 'targets'].map((name) =>
    graph.input(name, 'int32', [batch.batchSize * batch.sequenceLength]),
  ) as [Value, Value];
  const logits = decoder(new Tape(graph), model, batch, parameters, inputs);
  return encodeModel(graph.finish('token-loss', { losses: tokenLosses(graph, logits, targets) }));
}
