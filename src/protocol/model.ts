/**
 * The model family and the order of its parameters in the one flat vector that everything else speaks of.
 * The order is part of the protocol: chunks, bodies and roots follow from it. No numbers are computed here.
 * spec/model.md
 *
 * D = dim, L = layers, H = heads, K = key-value heads, d = D / H, F = feed-forward width, V = vocabulary size
 */

/** Shape of a Llama-family decoder: RMSNorm, RoPE, grouped-query attention, SwiGLU, no biases. */
export interface ModelConfig {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly dim: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly feedForward: number;
  readonly ropeTheta: number;
  readonly normEpsilon: number;
  /** true: the embedding is the output matrix as well; false: `lm_head.weight` is */
  readonly tiedEmbeddings: boolean;
}

/** One tensor of the flat vector: row-major, `offset` and `length` in elements. */
export interface TensorSlot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** All tensors in order, and the length of the flat vector. */
export interface ModelLayout {
  readonly tensors: readonly TensorSlot[];
  readonly length: number;
}

/**
 * The parameter order: embedding, then per layer input norm, q, k, v, o, post-attention norm, gate, up, down, then
 * the final norm and, if it is not tied, the output matrix. Names and [out, in] shapes are those of Hugging Face's Llama classes. spec/model.md#layout
 */
export function computeModelLayout(model: ModelConfig): ModelLayout {
  const { vocabSize, dim, layers, heads, kvHeads, feedForward, tiedEmbeddings } = model;
  const headDim = dim / heads;
  const tensors: TensorSlot[] = [];
  let offset = 0;
  const add = (name: string, ...shape: number[]): void => {
    const length = shape.reduce((product, size) => product * size, 1);
    tensors.push({ name, shape, offset, length });
    offset += length;
  };
  add('model.embed_tokens.weight', vocabSize, dim);
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    add(`${prefix}input_layernorm.weight`, dim);
    add(`${prefix}self_attn.q_proj.weight`, heads * headDim, dim);
    add(`${prefix}self_attn.k_proj.weight`, kvHeads * headDim, dim);
    add(`${prefix}self_attn.v_proj.weight`, kvHeads * headDim, dim);
    add(`${prefix}self_attn.o_proj.weight`, dim, heads * headDim);
    add(`${prefix}post_attention_layernorm.weight`, dim);
    add(`${prefix}mlp.gate_proj.weight`, feedForward, dim);
    add(`${prefix}mlp.up_proj.weight`, feedForward, dim);
    add(`${prefix}mlp.down_proj.weight`, dim, feedForward);
  }
  add('model.norm.weight', dim);
  if (!tiedEmbeddings) {
    add('lm_head.weight', vocabSize, dim);
  }
  return { tensors, length: offset };
}
