/** Measures the base on held-out text, for people: nothing is decided by it. */
import { TapestryError } from '../protocol/errors.ts';
import type { UntimedEvent } from './peer.ts';
import type { PeerParts } from './peer-parts.ts';

/** Rounds between two measurements. */
const roundsBetweenLosses = 5;

/** What the meter works with. */
export interface BaseMeterComponents
  extends Pick<PeerParts, 'trainer' | 'bases' | 'chain' | 'manifest' | 'metrics' | 'init'> {
  readonly emit: (event: UntimedEvent) => void;
}

/** Measures bases and notes the losses. */
export class BaseMeter {
  readonly #components: BaseMeterComponents;

  constructor(components: BaseMeterComponents) {
    this.#components = components;
  }

  /** Measures the base of a round: the first, every few rounds, and the last. What goes wrong is a warning. */
  async measure(round: number, isLast: boolean, signal: AbortSignal): Promise<void> {
    const { trainer, bases, chain, manifest, metrics, init, emit } = this.#components;
    const isDue = (round - 1) % roundsBetweenLosses === 0 || metrics.losses.first === null;
    if (!isDue && !isLast) {
      return;
    }
    const path = bases.pathOf(chain.state.base);
    const { sequencesPerKind } = manifest.heldOut;
    try {
      const evaluation = await trainer.evaluate(path, { sequencesPerKind, signal });
      metrics.setHeldOut(evaluation);
      emit({ event: 'loss.measured', round: round - 1, mean: evaluation.mean, perKind: evaluation.perKind });
      if (init.data.kind !== 'starter') {
        await this.#measureOwn(path, signal);
      }
    } catch (error) {
      if (!signal.aborted) {
        emit({ event: 'warning', round, message: `The base could not be measured: ${(error as Error).message}` });
      }
    }
  }

  /** For the owner's eyes: how the base does on the part of the owner's own text that is never trained on. */
  async #measureOwn(path: string, signal: AbortSignal): Promise<void> {
    const { trainer, manifest, metrics } = this.#components;
    const { sequencesPerKind } = manifest.heldOut;
    try {
      metrics.setOwn((await trainer.evaluate(path, { sequencesPerKind, heldOut: 'own', signal })).mean);
    } catch (error) {
      // Little text leaves no validation part: nothing to measure, and nothing wrong.
      if (!(error instanceof TapestryError && error.code === 'held-out-too-small')) {
        throw error;
      }
    }
  }
}
