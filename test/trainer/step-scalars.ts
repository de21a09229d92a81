import test from 'ava';
import { computeLearningRate, computeStepScalars } from '../../src/trainer/step-scalars.ts';
import { smallInner } from './helpers/small-model.ts';

const config = { ...smallInner, learningRate: 4e-3, warmupSteps: 50, decaySteps: 250, minLearningRateShare: 0.1 };

function isNear(actual: number, expected: number): boolean {
  return Math.abs(actual / expected - 1) < 1e-12;
}

test('the learning rate warms up, peaks, decays by a cosine and stays at its share', (t) => {
  t.true(isNear(computeLearningRate(config, 0), 4e-3 / 50));
  t.true(isNear(computeLearningRate(config, 24), 2e-3));
  t.true(isNear(computeLearningRate(config, 49), 4e-3));
  t.true(isNear(computeLearningRate(config, 50), 4e-3));
  t.true(isNear(computeLearningRate(config, 150), 4e-3 * 0.55));
  t.true(isNear(computeLearningRate(config, 250), 4e-4));
  t.true(isNear(computeLearningRate(config, 1_000_000), 4e-4));
});

test('there may be no warm-up, and a decay that ends before the warm-up', (t) => {
  t.is(computeLearningRate({ ...config, warmupSteps: 0 }, 0), 4e-3);
  t.true(isNear(computeLearningRate({ ...config, decaySteps: 10 }, 20), (4e-3 * 21) / 50));
  t.true(isNear(computeLearningRate({ ...config, decaySteps: 10 }, 50), 4e-4));
});

test('the learning rate follows the global step, the bias correction the age of the moments', (t) => {
  const [young] = computeStepScalars(config, 1000, 1);
  const [old, epsilon, decay] = computeStepScalars(config, 1000, 100_000);
  t.true(isNear(decay, 1 - 4e-4 * 0.1));
  // The first step from zero moments is the sign of the gradient: M = g and √V = |g|, so alpha is the rate itself.
  t.true(isNear(young, 4e-4));
  t.true(isNear(old, (4e-4 * 0.1) / Math.sqrt(0.05)));
  t.true(isNear(epsilon, 1e-8 / Math.sqrt(0.05)));
});
