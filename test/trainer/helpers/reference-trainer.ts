/**
 * The training step once more, in doubles and plain loops: forward, backward, clipping by the global norm, AdamW with
 * unscaled moments, learning-rate schedule. Shares nothing with `src/trainer` but the meaning of spec/trainer.md; the
 * order of the parameters comes from `src/protocol/model.ts`.
 */
import { computeModelLayout, type ModelConfig } from '../../../src/protocol/model.ts';
import { referenceGradient } from './reference-decoder.ts';

/** The numbers of the recipe, by their names in a manifest. */
export interface ReferenceRecipe {
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly decaySteps: number;
  readonly minLearningRateShare: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
}

/** Trains one model; keeps parameters and moments, and counts its steps. */
export class ReferenceTrainer {
  readonly parameters: Float64Array;
  readonly #model: ModelConfig;
  readonly #sequenceLength: number;
  readonly #recipe: ReferenceRecipe;
  readonly #decays: Uint8Array;
  readonly #m: Float64Array;
  readonly #v: Float64Array;
  #steps = 0;

  constructor(model: ModelConfig, sequenceLength: number, recipe: ReferenceRecipe, base: Float32Array) {
    this.#model = model;
    this.#sequenceLength = sequenceLength;
    this.#recipe = recipe;
    this.parameters = Float64Array.from(base);
    this.#m = new Float64Array(base.length);
    this.#v = new Float64Array(base.length);
    this.#decays = new Uint8Array(base.length);
    for (const { name, offset, length } of computeModelLayout(model).tensors) {
      this.#decays.fill(name.endsWith('norm.weight') ? 0 : 1, offset, offset + length);
    }
  }

  /**
   * One inner step.
   * @param tokens [B, T + 1]
   * @returns the loss before the update in nats, and the gradient's norm before clipping
   */
  step(tokens: Int32Array): { loss: number; gradientNorm: number } {
    const { beta1, beta2, epsilon, weightDecay, clipNorm } = this.#recipe;
    const { loss, gradient } = referenceGradient(this.#model, this.parameters, tokens, this.#sequenceLength);
    const gradientNorm = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
    const factor = Math.min(1, clipNorm / (gradientNorm + 1e-6));
    const rate = referenceLearningRate(this.#recipe, this.#steps);
    const t = ++this.#steps;
    for (let i = 0; i < gradient.length; i++) {
      const g = gradient[i]! * factor;
      const m = beta1 * this.#m[i]! + (1 - beta1) * g;
      const v = beta2 * this.#v[i]! + (1 - beta2) * g * g;
      this.#m[i] = m;
      this.#v[i] = v;
      const direction = m / (1 - beta1 ** t) / (Math.sqrt(v / (1 - beta2 ** t)) + epsilon);
      const kept = this.#decays[i] === 1 ? 1 - rate * weightDecay : 1;
      this.parameters[i] = this.parameters[i]! * kept - rate * direction;
    }
    return { loss, gradientNorm };
  }
}

/** Linear warm-up, cosine to a share of the peak, constant after that. */
function referenceLearningRate(recipe: ReferenceRecipe, step: number): number {
  const { learningRate, warmupSteps, decaySteps, minLearningRateShare } = recipe;
  if (step < warmupSteps) return (learningRate / warmupSteps) * (step + 1);
  const lowest = learningRate * minLearningRateShare;
  if (step >= decaySteps) return lowest;
  const angle = (Math.PI * (step - warmupSteps)) / (decaySteps - warmupSteps);
  return lowest + 0.5 * (learningRate - lowest) * (1 + Math.cos(angle));
}
