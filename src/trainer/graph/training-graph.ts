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
import type { TrainingPlan } from '../training-plan.ts';
import { adamw, clipFactor, globalNorm, type InnerOptimizerConfig, type Slot } from './adamw.ts';
import { crossEntropy, tokenLosses } from './cross-entropy.ts';
import { type BatchShape, type DecoderOptions, decoder, parameterInputs } from './decoder.ts';
import { distinctEmbedding, embedding, oneHotEmbedding } from './embedding.ts';
import { Tape } from './tape.ts';

/** Prefixes of the names of moment inputs and of outputs; what follows is the tensor's name in the layout. */
export const prefixes = { firstMoment: 'm.', secondMoment: 'v.', output: 'new.', gradient: 'd.' } as const;

/**
 * Steps of forward, backward, clip and AdamW: H in a Loop, or with `plan.loop` false one, whose results may be written over
 * its inputs. Inputs: every parameter, its moments under `m.` and `v.`, `tokens` [H, A, B / A, T + 1] int32 with A
 * micro-batches, `scalars` [H, 3] (alpha, epsilon, decay), with a Loop `steps` int64 = H, and for the embedding gradient
 * `distinct` also `ids` and `ranks` [H, A, B·T / A] int32. Outputs: `new.` + each parameter and moment, `losses` [H],
 * `norms` [H]. spec/trainer.md#graphs
 */
export function encodeTrainingGraph(
  model: ModelConfig,
  batch: BatchShape,
  config: InnerOptimizerConfig,
  plan: TrainingPlan,
): Uint8Array {
  const graph = new GraphBuilder('float');
  const state = stateInputs(graph, model);
  const names = [...state.map((value) => prefixes.output + value.name), 'losses', 'norms'];
  const batches = batchInputs(graph, batch, plan);
  const lay = (inside: GraphBuilder, values: readonly Value[], index: Value): Value[] =>
    layStep(inside, { model, batch, config, plan, state: values }, takeRow(inside, batches, index));
  if (!plan.loop) {
    const [loss, norm, ...next] = lay(graph, state, graph.integers([0], [])) as [Value, Value, ...Value[]];
    const reports = [loss, norm].map((value) => graph.reshape(value, [1]));
    return encodeModel(graph.finish('train', byName(names, [...next, ...reports])));
  }
  const steps = graph.input('steps', 'int64', []);
  const body = new GraphBuilder('float', 'step.');
  const index = body.input('index', 'int64', []);
  const going = body.input('going', 'bool', []);
  const [loss, norm, ...next] = lay(body, stateInputs(body, model), index) as [Value, Value, ...Value[]];
  const bodyGraph = body.finish('step', loopOutputs(body, going, [...next, loss, norm]));
  const shapes = [...state.map((value) => value.shape), ['H'], ['H']];
  const results = graph.nodes('Loop', [steps, null, ...state], shapes, { attributes: { body: bodyGraph } });
  return encodeModel(graph.finish('train', byName(names, results)));
}

/** Parameters, first moments, second moments. */
function stateInputs(graph: GraphBuilder, model: ModelConfig): Value[] {
  const { firstMoment, secondMoment } = prefixes;
  return ['', firstMoment, secondMoment].flatMap((prefix) => parameterInputs(graph, model, prefix));
}

/** What a step is laid out from. */
interface StepInit {
  readonly model: ModelConfig;
  readonly batch: BatchShape;
  readonly config: InnerOptimizerConfig;
  readonly plan: TrainingPlan;
  /** as `stateInputs` gives it */
  readonly state: readonly Value[];
}

/** One step: its loss, the norm of its gradient, and the state after it. */
function layStep(graph: GraphBuilder, init: StepInit, batches: BatchValues): Value[] {
  const { model, batch, config, plan, state } = init;
  const count = state.length / 3;
  const parameters = state.slice(0, count);
  const part = { ...batch, batchSize: batch.batchSize / plan.microBatches };
  const { loss, gradients } = accumulateGradients(graph, model, part, parameters, batches, plan);
  const norm = globalNorm(graph, gradients);
  const factor = clipFactor(graph, norm, config.clipNorm);
  const [alpha, epsilon, decay] = [0, 1, 2].map((at) =>
    graph.node('Gather', [batches.scalars, graph.integers([at], [])], []),
  );
  const stepScalars = { alpha: alpha!, epsilon: epsilon!, decay: decay! };
  const slots = parameters.map((parameter, at): Slot => {
    const slot = { parameter, firstMoment: state[count + at]!, secondMoment: state[2 * count + at]! };
    return adamw(graph, config, slot, gradients[at]!, factor, stepScalars);
  });
  return [
    loss,
    norm,
    ...slots.map((slot) => slot.parameter),
    ...slots.map((slot) => slot.firstMoment),
    ...slots.map((slot) => slot.secondMoment),
  ];
}

/** What is different for every step, and of that what is for every micro-batch; leading axes are taken off one by one. */
interface BatchValues {
  /** [3] once the axis of steps is off; the micro-batches have none of their own */
  readonly scalars: Value;
  readonly tokens: Value;
  /** for the embedding gradient `distinct` alone */
  readonly ids: Value | null;
  readonly ranks: Value | null;
}

type PartValues = Omit<BatchValues, 'scalars'>;

function batchInputs(graph: GraphBuilder, batch: BatchShape, plan: TrainingPlan): BatchValues {
  const { microBatches } = plan;
  const batchSize = batch.batchSize / microBatches;
  const places = ['H', microBatches, batchSize * batch.sequenceLength];
  const isDistinct = plan.embeddingGradient === 'distinct';
  return {
    scalars: graph.input('scalars', 'float', ['H', 3]),
    tokens: graph.input('tokens', 'int32', ['H', microBatches, batchSize, batch.sequenceLength + 1]),
    ids: isDistinct ? graph.input('ids', 'int32', places) : null,
    ranks: isDistinct ? graph.input('ranks', 'int32', places) : null,
  };
}

/** The entry of one step. */
function takeRow(graph: GraphBuilder, batches: BatchValues, index: Value): BatchValues {
  const scalars = graph.node('Gather', [batches.scalars, index], [3]);
  return { scalars, ...takePart(graph, batches, index) };
}

/** One entry of the first axis of each list of tokens. */
function takePart(graph: GraphBuilder, { tokens, ids, ranks }: PartValues, index: Value): PartValues {
  const take = (x: Value): Value => graph.node('Gather', [x, index], x.shape.slice(1), int32);
  return { tokens: take(tokens), ids: ids && take(ids), ranks: ranks && take(ranks) };
}

/** Mean loss of a batch and its gradients, micro-batch after micro-batch in a Loop of their own. */
function accumulateGradients(
  graph: GraphBuilder,
  model: ModelConfig,
  part: BatchShape,
  parameters: readonly Value[],
  batches: PartValues,
  plan: TrainingPlan,
): { loss: Value; gradients: Value[] } {
  const { microBatches } = plan;
  if (microBatches === 1) {
    const only = takePart(graph, batches, graph.integers([0], []));
    return layGradients(graph, model, part, parameters, only, plan, 1, []);
  }
  const body = new GraphBuilder('float', 'micro.');
  const index = body.input('index', 'int64', []);
  const going = body.input('going', 'bool', []);
  const lossSum = body.input('loss', 'float', []);
  const sums = parameterInputs(body, model, 'sum.');
  const own = takePart(body, batches, index);
  const { loss, gradients } = layGradients(body, model, part, parameters, own, plan, 1 / microBatches, sums);
  const bodyGraph = body.finish('micro-batch', loopOutputs(body, going, [body.add(lossSum, loss), ...gradients]));
  const zeros = [graph.constant([0]), ...parameters.map((parameter) => zerosLike(graph, parameter))];
  const inputs = [graph.integers([microBatches], []), null, ...zeros];
  const shapes = zeros.map((value) => value.shape);
  const [meanLoss, ...rest] = graph.nodes('Loop', inputs, shapes, { attributes: { body: bodyGraph } });
  return { loss: meanLoss!, gradients: rest };
}

/** Loss and gradients of one micro-batch, both times `share`, the gradients added to `sums` where there are any. */
function layGradients(
  graph: GraphBuilder,
  model: ModelConfig,
  part: BatchShape,
  parameters: readonly Value[],
  { tokens, ids, ranks }: PartValues,
  plan: TrainingPlan,
  share: number,
  sums: readonly Value[],
): { loss: Value; gradients: Value[] } {
  const tape = new Tape(graph);
  const { inputs, targets } = split(graph, tokens, part);
  const embed: DecoderOptions['embed'] = (table, places) => {
    if (plan.embeddingGradient === 'scatter') {
      return embedding(tape, table, places);
    }
    return ids === null || ranks === null
      ? oneHotEmbedding(tape, table, places)
      : distinctEmbedding(tape, table, places, ids, ranks);
  };
  const options = { embed, attentionBlocks: plan.attentionBlocks };
  const loss = crossEntropy(tape, decoder(tape, model, part, parameters, inputs, options), targets);
  const gradients = tape.backward(loss, graph.constant([share]), parameters, sums);
  return { loss: share === 1 ? loss : graph.mul(loss, graph.constant([share])), gradients };
}

/** What the body of a Loop returns: whether it goes on, then its values, each under a name of its own. */
function loopOutputs(body: GraphBuilder, going: Value, values: readonly Value[]): Record<string, Value> {
  const stillGoing = body.node('Identity', [going], [], { type: 'bool' });
  return Object.fromEntries([stillGoing, ...values].map((value) => [`${value.name}.out`, value]));
}

function zerosLike(graph: GraphBuilder, { shape }: Value): Value {
  return graph.node('Expand', [graph.constant([0]), graph.integers(shape as number[])], shape);
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
