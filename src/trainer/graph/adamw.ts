/**
 * Gradient clipping and AdamW as graph nodes. https://arxiv.org/abs/1711.05101
 * Moments are kept scaled, M = m / (1 − β₁) and V = v / (1 − β₂), which saves two multiplications an element; the
 * numbers that change from step to step come in as three scalars (`../step-scalars.ts`). spec/trainer.md#adamw
 */
import type { InnerOptimizer } from '../../protocol/manifest.ts';
import type { Value } from '../onnx/encode-model.ts';
import type { GraphBuilder } from '../onnx/graph-builder.ts';

/** The part of the manifest's inner optimiser that an inner step depends on. */
export type InnerOptimizerConfig = Omit<InnerOptimizer, 'steps' | 'batchSize' | 'sequenceLength'>;

/** A tensor with its moments. */
export interface Slot {
  readonly parameter: Value;
  readonly firstMoment: Value;
  readonly secondMoment: Value;
}

/** The three numbers of a step, each a graph scalar. */
export interface StepScalars {
  readonly alpha: Value;
  readonly epsilon: Value;
  readonly decay: Value;
}

/** Norm of all gradients together, a scalar. */
export function globalNorm(graph: GraphBuilder, gradients: readonly Value[]): Value {
  const squares = gradients.map((gradient) =>
    graph.node('ReduceSumSquare', [gradient], [], { attributes: { keepdims: 0 } }),
  );
  return graph.node('Sqrt', [graph.node('Sum', squares, [])], []);
}

/** min(1, clipNorm / (norm + 1e-6)), a scalar. */
export function clipFactor(graph: GraphBuilder, norm: Value, clipNorm: number): Value {
  const share = graph.div(graph.constant([clipNorm]), graph.add(norm, graph.constant([1e-6])));
  return graph.node('Min', [share, graph.constant([1])], []);
}

/**
 * One step: M ← β₁M + g, V ← β₂V + g², θ ← θ·decay − alpha·M / (√V + epsilon), with decay on matrices only.
 * @param factor scalar that the gradient is multiplied with first
 */
export function adamw(
  graph: GraphBuilder,
  config: InnerOptimizerConfig,
  slot: Slot,
  gradient: Value,
  factor: Value,
  scalars: StepScalars,
): Slot {
  const g = graph.mul(gradient, factor);
  const firstMoment = graph.add(graph.mul(slot.firstMoment, graph.constant([config.beta1])), g);
  const secondMoment = graph.add(graph.mul(slot.secondMoment, graph.constant([config.beta2])), graph.mul(g, g));
  const root = graph.node('Sqrt', [secondMoment], secondMoment.shape);
  const direction = graph.div(firstMoment, graph.add(root, scalars.epsilon));
  const isMatrix = slot.parameter.shape.length > 1;
  const kept = isMatrix ? graph.mul(slot.parameter, scalars.decay) : slot.parameter;
  return { parameter: graph.sub(kept, graph.mul(direction, scalars.alpha)), firstMoment, secondMoment };
}
