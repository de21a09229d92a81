/**
 * The graphs that are run: H whole training steps in one Loop, one loss with its gradients, and the loss alone.
 * Parameters are inputs, never initializers, so a graph is small and one session serves every round.
 * spec/trainer.md#graphs
 *
 * H = inner steps of a run, B = batch, T = tokens
 */
import type { ModelConfig } from '../../protocol/model.ts';
import { encodeModel, type Value } from '../onnx/encode-model.ts';
import { GraphBuilder, type RealType } from '../onnx/graph-builder.ts';
import { adamw, clipFactor, globalNorm, type InnerOptimizerConfig, type Slot } from './adamw.ts';
import { crossEntropy, tokenLosses } from './cross-entropy.ts';
import { type BatchShape, decoder, parameterInputs } from './decoder.ts';
import { Tape } from './tape.ts';

/** Prefixes of the names of moment inputs and of outputs; what follows is the tensor's name in the layout. */
export const prefixes = { firstMoment: 'm.', secondMoment: 'v.', output: 'new.', gradient: 'd.' } as const;

/**
 * H steps of forward, backward, clip and AdamW.
 * Inputs: every parameter, its moments under `m.` and `v.`, `tokens` [H, B, T + 1] int32, `scalars` [H, 3]
 * (alpha, epsilon, decay), `steps` int64 = H. Outputs: `new.` + each of those, `losses` [H], `norms` [H].
 */
export function encodeTrainingGraph(model: ModelConfig, batch: BatchShape, config: InnerOptimizerConfig): Uint8Array {
  const outer = new GraphBuilder('float');
  const state = ['', prefixes.firstMoment, prefixes.secondMoment].flatMap((prefix) =>
    parameterInputs(outer, model, prefix),
  );
  const tokens = outer.input('tokens', 'int32', ['H', batch.batchSize, batch.sequenceLength + 1]);
  const scalars = outer.input('scalars', 'float', ['H', 3]);
  const steps = outer.input('steps', 'int64', []);

  const body = new GraphBuilder('float', 'step.');
  const index = body.input('index', 'int64', []);
  const going = body.input('going', 'bool', []);
  const parameters = parameterInputs(body, model);
  const first = parameterInputs(body, model, prefixes.firstMoment);
  const second = parameterInputs(body, model, prefixes.secondMoment);

  const tape = new Tape(body);
  const { inputs, targets } = split(body, body.node('Gather', [tokens, index], tokens.shape.slice(1), int32), batch);
  const loss = crossEntropy(tape, decoder(tape, model, batch, parameters, inputs), targets);
  const gradients = tape.backward(loss, body.constant([1]), parameters);
  const norm = globalNorm(body, gradients);
  const factor = clipFactor(body, norm, config.clipNorm);
  const row = body.node('Gather', [scalars, index], [3]);
  const [alpha, epsilon, decay] = [0, 1, 2].map((at) => body.node('Gather', [row, body.integers([at], [])], []));
  const stepScalars = { alpha: alpha!, epsilon: epsilon!, decay: decay! };
  const slots = parameters.map((parameter, at): Slot => {
    const slot = { parameter, firstMoment: first[at]!, secondMoment: second[at]! };
    return adamw(body, config, slot, gradients[at]!, factor, stepScalars);
  });
  const carried = [
    ...slots.map((slot) => slot.parameter),
    ...slots.map((slot) => slot.firstMoment),
    ...slots.map((slot) => slot.secondMoment),
  ];
  const stillGoing = body.node('Identity', [going], [], { type: 'bool' });
  const made = Object.fromEntries([stillGoing, ...carried, loss, norm].map((value) => [`${value.name}.out`, value]));
  const bodyGraph = body.finish('step', made);

  const shapes = [...state.map((value) => value.shape), ['H'], ['H']];
  const results = outer.nodes('Loop', [steps, null, ...state], shapes, { attributes: { body: bodyGraph } });
  const names = [...state.map((value) => prefixes.output + value.name), 'losses', 'norms'];
  return encodeModel(outer.finish('train', byName(names, results)));
}

/**
 * One loss and its gradients, without an update. Inputs: every parameter, `tokens` [B, T + 1] int32.
 * Outputs: `loss`, and `d.` + each parameter. This is what gradients are checked with, in doubles.
 */
export function encodeGradientGraph(model: ModelConfig, batch: BatchShape, real: RealType): Uint8Array {
  const graph = new GraphBuilder(real);
  const tape = new Tape(graph);
  const parameters = parameterInputs(graph, model);
  const { inputs, targets } = split(graph, tokensInput(graph, batch), batch);
  const loss = crossEntropy(tape, decoder(tape, model, batch, parameters, inputs), targets);
  const gradients = tape.backward(loss, graph.constant([1]), parameters);
  const names = ['loss', ...parameters.map((value) => prefixes.gradient + value.name)];
  return encodeModel(graph.finish('gradient', byName(names, [loss, ...gradients])));
}

/**
 * The loss alone. Inputs: every parameter, `tokens` [B, T + 1] int32. Output: `losses` [B], the mean over the T
 * predictions of each sequence, in nats.
 */
export function encodeLossGraph(model: ModelConfig, batch: BatchShape): Uint8Array {
  const graph = new GraphBuilder('float');
  const parameters = parameterInputs(graph, model);
  const { inputs, targets } = split(graph, tokensInput(graph, batch), batch);
  const logits = decoder(new Tape(graph), model, batch, parameters, inputs);
  const losses = graph.reshape(tokenLosses(graph, logits, targets), [batch.batchSize, batch.sequenceLength]);
  const means = graph.mul(graph.sum(losses, 1, false), graph.constant([1 / batch.sequenceLength]));
  return encodeModel(graph.finish('loss', { losses: means }));
}

const int32 = { type: 'int32' } as const;

function tokensInput(graph: GraphBuilder, batch: BatchShape): Value {
  return graph.input('tokens', 'int32', [batch.batchSize, batch.sequenceLength + 1]);
}

/** The first T tokens of every sequence are read, the last T are to be predicted; each [B·T]. */
function split(graph: GraphBuilder, tokens: Value, batch: BatchShape): { inputs: Value; targets: Value } {
  const { batchSize, sequenceLength } = batch;
  const part = (start: number): Value => {
    const ranges = [start, start + sequenceLength, 1].map((bound) => graph.integers([bound]));
    const slice = [tokens, ranges[0]!, ranges[1]!, ranges[2]!];
    return graph.reshape(graph.node('Slice', slice, [batchSize, sequenceLength], int32), [batchSize * sequenceLength]);
  };
  return { inputs: part(0), targets: part(1) };
}

function byName(names: readonly string[], values: readonly Value[]): Record<string, Value> {
  return Object.fromEntries(names.map((name, at) => [name, values[at]!]));
}
