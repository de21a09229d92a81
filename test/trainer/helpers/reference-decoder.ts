/**
 * Loss and gradient of the whole decoder in doubles, without `src/trainer`: the forward pass keeps what the backward
 * pass needs, and that walks the same layers from the end. spec/model.md
 *
 * B = batch, T = tokens, D = dim, N = B·T
 */
import { computeModelLayout, type ModelConfig } from '../../../src/protocol/model.ts';
import {
  attend,
  attendBackward,
  crossEntropy,
  linear,
  linearBackward,
  type ReferenceAttention,
  rmsNorm,
  rmsNormBackward,
  rotate,
  swiglu,
  swigluBackward,
} from './reference-kernels.ts';

/** A flat vector by tensor names: views, nothing is copied. */
type Tensors = (name: string) => Float64Array;

function byName(model: ModelConfig, flat: Float64Array): Tensors {
  const slots = new Map(computeModelLayout(model).tensors.map((slot) => [slot.name, slot]));
  return (name) => {
    const { offset, length } = slots.get(`${name}.weight`)!;
    return flat.subarray(offset, offset + length);
  };
}

/** What one layer did to one batch. */
interface LayerTrace {
  readonly x: Float64Array;
  readonly h: Float64Array;
  readonly q: Float64Array;
  readonly k: Float64Array;
  readonly v: Float64Array;
  readonly weights: Float64Array;
  readonly mixed: Float64Array;
  readonly middle: Float64Array;
  readonly g: Float64Array;
  readonly gate: Float64Array;
  readonly up: Float64Array;
  readonly hidden: Float64Array;
}

/**
 * Mean cross-entropy of a batch in nats, and its gradient.
 * @param parameters flat, in layout order
 * @param tokens [B, T + 1]
 * @returns the gradient as a flat vector in layout order
 */
export function referenceGradient(
  model: ModelConfig,
  parameters: Float64Array,
  tokens: Int32Array,
  sequenceLength: number,
): { loss: number; gradient: Float64Array } {
  const { dim, layers, vocabSize, normEpsilon } = model;
  const gradient = new Float64Array(parameters.length);
  const [get, slope] = [byName(model, parameters), byName(model, gradient)];
  const [inputs, targets] = split(tokens, sequenceLength);
  const embeddings = get('model.embed_tokens');

  const embedded = new Float64Array(inputs.length * dim);
  for (const [n, token] of inputs.entries()) {
    embedded.set(embeddings.subarray(token * dim, (token + 1) * dim), n * dim);
  }
  let x: Float64Array = embedded;
  const traces: LayerTrace[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const { y, trace } = layerForward(model, within(get, layer), x, sequenceLength);
    traces.push(trace);
    x = y;
  }
  const head = model.tiedEmbeddings ? 'model.embed_tokens' : 'lm_head';
  const last = rmsNorm(x, get('model.norm'), normEpsilon);
  const { loss, dLogits } = crossEntropy(linear(last, get(head), dim), targets, vocabSize);

  const dLast = linearBackward(dLogits, last, get(head), slope(head), dim);
  let dx = rmsNormBackward(dLast, x, get('model.norm'), slope('model.norm'), normEpsilon);
  for (let layer = layers - 1; layer >= 0; layer--) {
    dx = layerBackward(model, within(get, layer), within(slope, layer), traces[layer]!, dx, sequenceLength);
  }
  const dEmbeddings = slope('model.embed_tokens');
  for (const [n, token] of inputs.entries()) {
    for (let i = 0; i < dim; i++) dEmbeddings[token * dim + i]! += dx[n * dim + i]!;
  }
  return { loss, gradient };
}

const within = (tensors: Tensors, layer: number): Tensors => {
  return (name) => tensors(`model.layers.${layer}.${name}`);
};

/** Tokens read and tokens to predict, each B·T. */
function split(tokens: Int32Array, sequenceLength: number): [inputs: number[], targets: number[]] {
  const inputs: number[] = [];
  const targets: number[] = [];
  for (let start = 0; start < tokens.length; start += sequenceLength + 1) {
    inputs.push(...tokens.subarray(start, start + sequenceLength));
    targets.push(...tokens.subarray(start + 1, start + sequenceLength + 1));
  }
  return [inputs, targets];
}

function attentionOf(model: ModelConfig, tokens: number): ReferenceAttention {
  return { tokens, heads: model.heads, kvHeads: model.kvHeads, headDim: model.dim / model.heads };
}

function layerForward(
  model: ModelConfig,
  get: Tensors,
  x: Float64Array,
  tokens: number,
): { y: Float64Array; trace: LayerTrace } {
  const { dim, normEpsilon, ropeTheta } = model;
  const shape = attentionOf(model, tokens);
  const [width, kvWidth] = [shape.heads * shape.headDim, shape.kvHeads * shape.headDim];
  const h = rmsNorm(x, get('input_layernorm'), normEpsilon);
  const q = rotate(linear(h, get('self_attn.q_proj'), dim), tokens, width, shape.headDim, ropeTheta, 1);
  const k = rotate(linear(h, get('self_attn.k_proj'), dim), tokens, kvWidth, shape.headDim, ropeTheta, 1);
  const v = linear(h, get('self_attn.v_proj'), dim);
  const { out: mixed, weights } = attend(q, k, v, shape);
  const middle = sum(x, linear(mixed, get('self_attn.o_proj'), width));
  const g = rmsNorm(middle, get('post_attention_layernorm'), normEpsilon);
  const gate = linear(g, get('mlp.gate_proj'), dim);
  const up = linear(g, get('mlp.up_proj'), dim);
  const hidden = swiglu(gate, up);
  const y = sum(middle, linear(hidden, get('mlp.down_proj'), model.feedForward));
  return { y, trace: { x, h, q, k, v, weights, mixed, middle, g, gate, up, hidden } };
}

/** Adds the layer's gradients to `slope` and returns that of its input. */
function layerBackward(
  model: ModelConfig,
  get: Tensors,
  slope: Tensors,
  trace: LayerTrace,
  dy: Float64Array,
  tokens: number,
): Float64Array {
  const { dim, normEpsilon, ropeTheta } = model;
  const shape = attentionOf(model, tokens);
  const [width, kvWidth] = [shape.heads * shape.headDim, shape.kvHeads * shape.headDim];
  const back = (name: string, d: Float64Array, x: Float64Array, inputs: number): Float64Array =>
    linearBackward(d, x, get(name), slope(name), inputs);
  const backNorm = (name: string, d: Float64Array, x: Float64Array): Float64Array =>
    rmsNormBackward(d, x, get(name), slope(name), normEpsilon);

  const dHidden = back('mlp.down_proj', dy, trace.hidden, model.feedForward);
  const { dGate, dUp } = swigluBackward(dHidden, trace.gate, trace.up);
  const dG = sum(back('mlp.gate_proj', dGate, trace.g, dim), back('mlp.up_proj', dUp, trace.g, dim));
  const dMiddle = sum(dy, backNorm('post_attention_layernorm', dG, trace.middle));

  const dMixed = back('self_attn.o_proj', dMiddle, trace.mixed, width);
  const { dq, dk, dv } = attendBackward(dMixed, trace.q, trace.k, trace.v, trace.weights, shape);
  const dQuery = rotate(dq, tokens, width, shape.headDim, ropeTheta, -1);
  const dKey = rotate(dk, tokens, kvWidth, shape.headDim, ropeTheta, -1);
  const dH = sum(
    back('self_attn.q_proj', dQuery, trace.h, dim),
    back('self_attn.k_proj', dKey, trace.h, dim),
    back('self_attn.v_proj', dv, trace.h, dim),
  );
  return sum(dMiddle, backNorm('input_layernorm', dH, trace.x));
}

function sum(first: Float64Array, ...rest: Float64Array[]): Float64Array {
  return first.map((value, at) => rest.reduce((total, other) => total + other[at]!, value));
}
