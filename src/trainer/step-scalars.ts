/**
 * The numbers of one inner step that change from step to step: learning rate, bias correction, decay. Computed outside
 * the graph, so that the graph stays the same for every step.
 * spec/trainer.md#adamw
 */
import type { InnerOptimizerConfig } from './graph/adamw.ts';

/**
 * Learning rate of an inner step: linear warm-up to the peak, cosine down to `minLearningRateShare` of it at
 * `decaySteps`, constant after that.
 * @param step global inner step, 0 or greater: it goes on over rounds and restarts
 */
export function computeLearningRate(config: InnerOptimizerConfig, step: number): number {
  const { learningRate, warmupSteps, decaySteps, minLearningRateShare } = config;
  if (step < warmupSteps) {
    return (learningRate * (step + 1)) / warmupSteps;
  }
  const progress = step >= decaySteps ? 1 : (step - warmupSteps) / (decaySteps - warmupSteps);
  const share = (1 + Math.cos(Math.PI * progress)) / 2;
  return learningRate * (minLearningRateShare + (1 - minLearningRateShare) * share);
}

/**
 * alpha, epsilon and decay that make the graph's scaled moments equal to bias-corrected AdamW.
 * @param step global inner step, which the learning rate follows
 * @param adamStep steps since the moments were zero, 1 for the first
 */
export function computeStepScalars(
  config: InnerOptimizerConfig,
  step: number,
  adamStep: number,
): [alpha: number, epsilon: number, decay: number] {
  const { beta1, beta2, epsilon, weightDecay } = config;
  const learningRate = computeLearningRate(config, step);
  // With M = m / (1 − β₁) and V = v / (1 − β₂): m̂ = M·first and √v̂ = √V·second.
  const first = (1 - beta1) / (1 - beta1 ** adamStep);
  const second = Math.sqrt((1 - beta2) / (1 - beta2 ** adamStep));
  return [(learningRate * first) / second, epsilon / second, 1 - learningRate * weightDecay];
}
