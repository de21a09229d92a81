/**
 * How a training step is cut up so that it fits into memory and into caches, and what it will take. Pure.
 * spec/trainer.md#memory
 *
 * N = parameters, B = batch, T = tokens, D = dim, F = feed-forward width, L = layers, V = vocabulary size
 */
import { TapestryError } from '../protocol/errors.ts';
import { computeModelLayout, type ModelConfig } from '../protocol/model.ts';
import type { Device } from './device.ts';
import { computeBlockCount } from './graph/attention.ts';
import type { BatchShape } from './graph/decoder.ts';
import { chooseEmbeddingGradient, type EmbeddingGradient } from './graph/embedding.ts';

/** How a step is laid out as a graph. Its results do not depend on it but for rounding. */
export interface TrainingPlan {
  /**
   * true: several steps are one run of the graph, and the state stays on the device between them; false: a run is one step,
   * and the state is held once, since results are written over inputs
   */
  readonly loop: boolean;
  /** parts that a batch is computed in, one after the other; divides the batch */
  readonly microBatches: number;
  /** blocks of queries in attention; divides the sequence */
  readonly attentionBlocks: number;
  readonly embeddingGradient: EmbeddingGradient;
}

/** A plan, and what it takes. */
export interface PlannedTraining {
  readonly plan: TrainingPlan;
  /** inner steps of one run of the graph */
  readonly stepsPerRun: number;
  /** resident memory of the training process at its peak, bytes */
  readonly estimatedBytes: number;
}

/**
 * Numbers that the activations of a micro-batch may take for each parameter: about as much as the state and the gradients
 * take with their copies. Smaller micro-batches save little more, and every one adds to all gradients once.
 */
const activationsPerParameter = 8;
/** Activations that are always small enough: 256 MiB. */
const smallActivations = 2 ** 26;
/** Parameters up to which a step is so short that starting a run counts more than memory. */
const smallLength = 2 * 2 ** 20;
/** Node, the runtime, and compiled graphs, bytes. */
const processBytes = 250 * 2 ** 20;
/** What the runtime's allocator keeps beside parameters, moments and gradients. */
const allocatorShare = 1.35;
/** Part of the memory that is there which is left to everything else. */
const spareShare = 0.1;

/**
 * The plan for memory in plenty: as few micro-batches as keep the activations in proportion to the parameters. It depends
 * on the shapes and the kind of device alone, so that a peer repeats its own steps bit for bit.
 */
export function computeTrainingPlan(model: ModelConfig, batch: BatchShape, device: Device): TrainingPlan {
  const most = Math.max(smallActivations, activationsPerParameter * computeModelLayout(model).length);
  const plans = divisors(batch.batchSize).map((count) => withMicroBatches(model, batch, device, count));
  // A GPU is slow at anything small.
  const fits = (plan: TrainingPlan): boolean => device.kind === 'cuda' || countActivations(model, batch, plan) <= most;
  return plans.find(fits) ?? plans.at(-1)!;
}

/**
 * The plan for memory in plenty, or one with smaller micro-batches where memory lacks for it.
 * @param stepsPerRun most inner steps of one run
 * @param availableBytes memory that this process may take
 */
export function planTraining(
  model: ModelConfig,
  batch: BatchShape,
  device: Device,
  stepsPerRun: number,
  availableBytes: number,
): PlannedTraining {
  const first = computeTrainingPlan(model, batch, device);
  const steps = first.loop ? stepsPerRun : 1;
  const choices = divisors(batch.batchSize)
    .filter((count) => count >= first.microBatches)
    .map((count): PlannedTraining => {
      const plan = withMicroBatches(model, batch, device, count);
      return { plan, stepsPerRun: steps, estimatedBytes: estimateBytes(model, batch, plan) };
    });
  return choices.find((choice) => choice.estimatedBytes <= availableBytes * (1 - spareShare)) ?? choices.at(-1)!;
}

function withMicroBatches(model: ModelConfig, batch: BatchShape, device: Device, microBatches: number): TrainingPlan {
  const rows = (batch.batchSize * batch.sequenceLength) / microBatches;
  return {
    loop: device.kind === 'cuda' || computeModelLayout(model).length <= smallLength,
    microBatches,
    attentionBlocks: computeBlockCount(batch.sequenceLength),
    embeddingGradient: chooseEmbeddingGradient(device.kind, rows, model.vocabSize),
  };
}

/**
 * Refuses a plan that does not fit, before anything is allocated.
 * @throws {TapestryError} `memory-too-small`
 */
export function requireMemory(planned: PlannedTraining, model: ModelConfig, availableBytes: number): void {
  const { estimatedBytes } = planned;
  if (estimatedBytes <= availableBytes) {
    return;
  }
  const { length } = computeModelLayout(model);
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  throw new TapestryError(
    'memory-too-small',
    `Training ${(length / 1e6).toFixed(1)} M parameters takes about ${gib(estimatedBytes)} of memory; ${gib(availableBytes)} are free.`,
    'End other programs, choose a smaller preset (--preset), or lower inner.sequenceLength (--set): a batch is already computed one sequence at a time.',
    { estimatedBytes, availableBytes, parameters: length },
  );
}

function estimateBytes(model: ModelConfig, batch: BatchShape, plan: TrainingPlan): number {
  const { length } = computeModelLayout(model);
  // Parameters and two moments: once, or in a Loop outside, before and after a step.
  const states = 3 * (plan.loop ? 3 : 1);
  // Gradients: the zeros that micro-batches begin with, and the sums before one and after it.
  const gradients = plan.microBatches > 1 ? 3 : 1;
  // What else a round holds: the base, or the error feedback.
  const others = 1;
  const vectors = (states + gradients + others) * length;
  return processBytes + 4 * (allocatorShare * vectors + countActivations(model, batch, plan));
}

/** Numbers that the forward pass keeps for the backward pass, and the most that are made beside them. */
function countActivations(model: ModelConfig, batch: BatchShape, plan: TrainingPlan): number {
  const { dim, layers, heads, kvHeads, feedForward, vocabSize } = model;
  const { microBatches, attentionBlocks } = plan;
  const rows = (batch.batchSize / microBatches) * batch.sequenceLength;
  const kvDim = (dim / heads) * kvHeads;
  const weights = (heads * batch.sequenceLength * (attentionBlocks + 1)) / (2 * attentionBlocks);
  const layer = 9 * dim + 4 * kvDim + 5 * feedForward + weights;
  return rows * (layers * layer + 4 * (feedForward + vocabSize + dim));
}

function divisors(value: number): number[] {
  return Array.from({ length: value }, (_, at) => at + 1).filter((candidate) => value % candidate === 0);
}
