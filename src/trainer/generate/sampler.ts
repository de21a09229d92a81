/**
 * Draws the next token from logits. Pure: the same logits, settings and random numbers give the same token.
 * spec/generation.md#sampling
 *
 * V = vocabulary size, p = probability of a token
 */
import { TapestryError } from '../../protocol/errors.ts';
import type { Random } from './seeded-random.ts';

/** How a token is drawn. */
export interface SamplerSettings {
  /** 0 or greater; logits are divided by it, 0 takes the most probable token and draws nothing */
  readonly temperature: number;
  /** whole; only so many of the most probable tokens are drawn from, 0 is all of them */
  readonly topK: number;
  /** above 0, at most 1; only the fewest tokens that come to this probability together are drawn from */
  readonly topP: number;
}

/** Logits [V] to a token, 0 to V − 1. */
export type Sampler = (logits: Float32Array) => number;

/**
 * A sampler with checked settings. Where tokens tie, the lower id counts as the more probable one.
 * @throws {TapestryError} `generate-setting` for a setting out of range; when it samples, `generate-logits` for logits
 *   with NaN or +∞, or without any finite number
 */
export function createSampler(settings: SamplerSettings, random: Random): Sampler {
  const { temperature, topK, topP } = settings;
  check('temperature', temperature, temperature >= 0 && temperature < Number.POSITIVE_INFINITY, '0 or greater');
  check('topK', topK, Number.isSafeInteger(topK) && topK >= 0, 'a whole number, 0 or greater');
  check('topP', topP, topP > 0 && topP <= 1, 'above 0 and at most 1');
  return (logits) => {
    const best = findBest(logits);
    if (temperature === 0) {
      return best;
    }
    const weights = Float64Array.from(logits, (logit) => Math.exp((logit - logits[best]!) / temperature));
    if (topK > 0 && topK < weights.length) {
      keepTop(weights, (sorted) => sorted.length - topK);
    }
    if (topP < 1) {
      keepTop(weights, (sorted) => findNucleus(sorted, topP));
    }
    return draw(weights, random());
  };
}

/** Id of the largest logit, the lowest of equals. */
function findBest(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (Number.isNaN(logit) || logit === Number.POSITIVE_INFINITY) {
      throw wrongLogits(`logit ${id} of ${logits.length} is ${logit}`);
    }
    if (logit > logits[best]!) {
      best = id;
    }
  }
  if (!Number.isFinite(logits[best] ?? Number.NaN)) {
    throw wrongLogits(`no logit of ${logits.length} is finite`);
  }
  return best;
}

/**
 * Sets all weights but the largest to 0; of those that equal the smallest one kept, the lowest ids are kept.
 * @param findFirst index of the first weight to keep, given all of them in ascending order
 */
function keepTop(weights: Float64Array, findFirst: (sorted: Float64Array) => number): void {
  const sorted = weights.toSorted();
  const first = findFirst(sorted);
  const least = sorted[first]!;
  let equals = 0;
  for (let at = first; at < sorted.length && sorted[at] === least; at++) {
    equals++;
  }
  for (let id = 0; id < weights.length; id++) {
    if (weights[id]! < least || (weights[id] === least && equals-- <= 0)) {
      weights[id] = 0;
    }
  }
}

/** Where the fewest largest weights begin that come to the share `topP` of the sum; at least one. */
function findNucleus(sorted: Float64Array, topP: number): number {
  const wanted = topP * sum(sorted);
  let first = sorted.length;
  for (let total = 0; first > 0 && total < wanted; ) {
    first--;
    total += sorted[first]!;
  }
  return first;
}

/** The first id where the weights up to it pass the share `point` of their sum: there is one, since `point` is below 1. */
function draw(weights: Float64Array, point: number): number {
  const target = point * sum(weights);
  let total = 0;
  return weights.findIndex((weight) => {
    total += weight;
    return total > target;
  });
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

function check(name: keyof SamplerSettings, value: number, isRight: boolean, expected: string): void {
  if (!isRight) {
    throw new TapestryError(
      'generate-setting',
      `${name}: expected ${expected}, found ${value}`,
      'Change it and try again.',
      { name, value },
    );
  }
}

function wrongLogits(found: string): TapestryError {
  return new TapestryError(
    'generate-logits',
    `The model gives no probabilities: ${found}.`,
    'Its weights are broken or training has diverged; use another model or an earlier round.',
  );
}
