/**
 * Matrix products. `linear` is differentiable; `matmul` is the batched product that attention builds on.
 * N = rows (batch × tokens), I = inputs, O = outputs
 */
import { contribDomain, type Value } from '../onnx/encode-model.ts';
import type { GraphBuilder } from '../onnx/graph-builder.ts';
import type { Tape } from './tape.ts';

/** What a Gemm does beside multiplying. */
export interface GemmOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** added to the product; same shape */
  readonly plus?: Value | null;
}

/** A′B′ + plus for two matrices, where ′ transposes when asked. */
export function gemm(graph: GraphBuilder, a: Value, b: Value, options: GemmOptions = {}): Value {
  const { transA = false, transB = false, plus = null } = options;
  const shape = [a.shape[transA ? 1 : 0]!, b.shape[transB ? 0 : 1]!];
  return graph.node('Gemm', plus === null ? [a, b] : [a, b, plus], shape, {
    attributes: { transA: Number(transA), transB: Number(transB) },
  });
}

/**
 * y = x·wᵀ, plus a residual when given.
 * @param x [N, I]
 * @param w [O, I], as Llama stores its weights
 * @param residual [N, O]
 * @returns [N, O]
 */
export function linear(tape: Tape, x: Value, w: Value, residual: Value | null = null): Value {
  const { graph } = tape;
  const y = gemm(graph, x, w, { transB: true, plus: residual });
  return tape.record(y, (dy, contribute) => {
    if (residual !== null) {
      contribute(residual, dy);
    }
    contribute(w, (plus) => gemm(graph, dy, x, { transA: true, plus }));
    contribute(x, (plus) => gemm(graph, dy, w, { plus }));
  });
}

/**
 * alpha · A′B′ over the last two axes; the axes before them are batches and equal.
 * The fused kernel exists for floats alone, so doubles take transposes, which is slower and gives the same numbers.
 */
export function matmul(
  graph: GraphBuilder,
  a: Value,
  b: Value,
  options: { transA?: boolean; transB?: boolean; alpha?: number } = {},
): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  const last = a.shape.length - 1;
  const shape = [...a.shape.slice(0, -2), a.shape[transA ? last : last - 1]!, b.shape[transB ? last - 1 : last]!];
  if (graph.real === 'float') {
    return graph.node('FusedMatMul', [a, b], shape, {
      domain: contribDomain,
      attributes: { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } },
    });
  }
  const order = [...shape.keys()].slice(0, -2).concat(last, last - 1);
  const left = transA ? graph.transpose(a, order) : a;
  const right = transB ? graph.transpose(b, order) : b;
  return graph.mul(graph.node('MatMul', [left, right], shape), graph.constant([alpha]));
}
