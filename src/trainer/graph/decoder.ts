/**
 * Llama-family decoder: token ids to logits, recorded on a tape. No dropout, no biases.
 * spec/model.md
 *
 * B = batch, T = tokens, D = dim, V = vocabulary size
 */
import type { ModelConfig, TensorSlot } from '../../protocol/model.ts';
import { computeModelLayout } from '../../protocol/model.ts';
import type { Value } from '../onnx/encode-model.ts';
import type { GraphBuilder } from '../onnx/graph-builder.ts';
import { causalAttention } from './attention.ts';
import { embedding } from './embedding.ts';
import { linear } from './linear.ts';
import { rmsNorm } from './rms-norm.ts';
import { computeRotaryTable, rotary } from './rotary.ts';
import { swiglu } from './swiglu.ts';
import type { Tape } from './tape.ts';

/** Sizes of one run: sequences, and predicted tokens of each. */
export interface BatchShape {
  readonly batchSize: number;
  readonly sequenceLength: number;
}

/** Choices that change how the logits are computed, and not what they are. */
export interface DecoderOptions {
  /** rows of the embedding for tokens; the operator decides how its gradient is added up */
  readonly embed?: (table: Value, tokens: Value) => Value;
  readonly attentionBlocks?: number;
}

/** One graph input for every tensor of the layout, in its order, under its name. */
export function parameterInputs(graph: GraphBuilder, model: ModelConfig, prefix = ''): Value[] {
  return computeModelLayout(model).tensors.map((slot: TensorSlot) =>
    graph.input(prefix + slot.name, graph.real, slot.shape),
  );
}

/**
 * Logits of the next token at every place.
 * @param parameters tensors in layout order
 * @param tokens [B·T], int32
 * @returns [B·T, V]
 */
export function decoder(
  tape: Tape,
  model: ModelConfig,
  batch: BatchShape,
  parameters: readonly Value[],
  tokens: Value,
  options: DecoderOptions = {},
): Value {
  const { heads, kvHeads, normEpsilon } = model;
  const headDim = model.dim / heads;
  const { embed = (table, places) => embedding(tape, table, places), attentionBlocks } = options;
  const shape = { batch: batch.batchSize, tokens: batch.sequenceLength, heads, kvHeads, headDim };
  const table = computeRotaryTable(batch.sequenceLength, headDim, model.ropeTheta);
  const turn = (x: Value): Value => rotary(tape, x, batch.batchSize, table, headDim);
  let next = 0;
  const take = (): Value => parameters[next++]!;

  const embeddings = take();
  let x = embed(embeddings, tokens);
  for (let layer = 0; layer < model.layers; layer++) {
    const h = rmsNorm(tape, x, take(), normEpsilon);
    const q = turn(linear(tape, h, take()));
    const k = turn(linear(tape, h, take()));
    const v = linear(tape, h, take());
    x = linear(tape, causalAttention(tape, q, k, v, shape, attentionBlocks), take(), x);
    const g = rmsNorm(tape, x, take(), normEpsilon);
    const gate = linear(tape, g, take());
    const up = linear(tape, g, take());
    x = linear(tape, swiglu(tape, gate, up), take(), x);
  }
  const y = rmsNorm(tape, x, take(), normEpsilon);
  return linear(tape, y, model.tiedEmbeddings ? embeddings : take());
}
