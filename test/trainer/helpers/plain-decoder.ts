/**
 * The model once more, as loops over doubles: slow, short, and independent of the graph code.
 * D = dim, T = tokens, d = width of a head
 */
import { computeModelLayout, type ModelConfig } from '../../../src/protocol/model.ts';

type Row = number[];

/** Mean cross-entropy in nats over all predictions of `tokens` [B, T + 1]. */
export function plainLoss(
  model: ModelConfig,
  parameters: ArrayLike<number>,
  tokens: Int32Array,
  length: number,
): number {
  const width = length + 1;
  let sum = 0;
  for (let start = 0; start < tokens.length; start += width) {
    sum += sequenceLoss(model, parameters, tokens.subarray(start, start + width));
  }
  return sum / (tokens.length / width);
}

function sequenceLoss(model: ModelConfig, parameters: ArrayLike<number>, tokens: Int32Array): number {
  const losses = plainLogits(model, parameters, tokens.slice(0, -1)).map(
    (logits, at) => Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0)) - logits[tokens[at + 1]!]!,
  );
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}

/** Logits of the next token after each of T tokens, [T][V]; tied and untied models. */
export function plainLogits(
  model: ModelConfig,
  parameters: ArrayLike<number>,
  tokens: ArrayLike<number>,
): readonly (readonly number[])[] {
  const tensors = new Map(
    computeModelLayout(model).tensors.map(({ name, shape, offset }) => {
      const [rows, columns] = shape.length === 2 ? (shape as [number, number]) : [1, shape[0]!];
      const row = (at: number): Row =>
        Array.from({ length: columns }, (_, c) => parameters[offset + at * columns + c]!);
      return [name, Array.from({ length: rows }, (_, at) => row(at))];
    }),
  );
  const table = tensors.get('model.embed_tokens.weight')!;
  let x = Array.from(tokens, (token) => table[token]!);
  for (let layer = 0; layer < model.layers; layer++) {
    const get = (name: string): Row[] => tensors.get(`model.layers.${layer}.${name}.weight`)!;
    const h = x.map((row) => normalize(row, get('input_layernorm')[0]!, model.normEpsilon));
    const mixed = attend(model, h, get);
    x = x.map((row, at) => plus(row, times(get('self_attn.o_proj'), mixed[at]!)));
    x = x.map((row) => {
      const g = normalize(row, get('post_attention_layernorm')[0]!, model.normEpsilon);
      const up = times(get('mlp.up_proj'), g);
      const hidden = times(get('mlp.gate_proj'), g).map((value, at) => (value / (1 + Math.exp(-value))) * up[at]!);
      return plus(row, times(get('mlp.down_proj'), hidden));
    });
  }
  const output = model.tiedEmbeddings ? table : tensors.get('lm_head.weight')!;
  return x.map((row) => times(output, normalize(row, tensors.get('model.norm.weight')![0]!, model.normEpsilon)));
}

function attend(model: ModelConfig, h: Row[], get: (name: string) => Row[]): Row[] {
  const d = model.dim / model.heads;
  const part = (row: Row, head: number): Row => row.slice(head * d, (head + 1) * d);
  const q = h.map((row) => times(get('self_attn.q_proj'), row));
  const k = h.map((row) => times(get('self_attn.k_proj'), row));
  const v = h.map((row) => times(get('self_attn.v_proj'), row));
  return h.map((_, now) => {
    const out: Row = [];
    for (let head = 0; head < model.heads; head++) {
      const shared = Math.floor((head * model.kvHeads) / model.heads);
      const query = turn(part(q[now]!, head), now, model.ropeTheta);
      const weights = h
        .slice(0, now + 1)
        .map((_row, then) => Math.exp(dot(query, turn(part(k[then]!, shared), then, model.ropeTheta)) / Math.sqrt(d)));
      const total = weights.reduce((a, b) => a + b, 0);
      for (let j = 0; j < d; j++) {
        out.push(weights.reduce((sum, weight, then) => sum + (weight / total) * part(v[then]!, shared)[j]!, 0));
      }
    }
    return out;
  });
}

function turn(head: Row, position: number, theta: number): Row {
  const half = head.length / 2;
  return head.map((value, at) => {
    const j = at % half;
    const angle = position / theta ** ((2 * j) / head.length);
    const other = at < half ? -head[at + half]! : head[at - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

const dot = (a: Row, b: Row): number => a.reduce((sum, value, at) => sum + value * b[at]!, 0);
const times = (matrix: Row[], row: Row): Row => matrix.map((weights) => dot(weights, row));
const plus = (a: Row, b: Row): Row => a.map((value, at) => value + b[at]!);

function normalize(row: Row, weights: Row, epsilon: number): Row {
  const scale = 1 / Math.sqrt(dot(row, row) / row.length + epsilon);
  return row.map((value, at) => value * scale * weights[at]!);
}
