/**
 * What a peer commits to of its work: one leaf for every few inner steps, and the root over them. An auditor who runs
 * the steps between two leaves again arrives at the second. spec/trainer.md#work-root
 */
import { computeHash } from '../protocol/hash.ts';
import { computeMerkleRoot, computeRootOfLeaves } from '../protocol/merkle.ts';
import type { TrainingState } from './training-session.ts';
import { asBytes } from './vector-file.ts';

/** Inner steps from one leaf to the next; the last leaf of a round may come earlier. */
export const leafSteps = 5;

/**
 * The leaf after `step` inner steps of the round.
 * @param step 1 to H
 * @param loss of the last of those steps, nats
 * @param gradientNorm of the last of those steps, before clipping
 * @returns 32 bytes
 */
export function computeWorkLeaf(step: number, state: TrainingState, loss: number, gradientNorm: number): Uint8Array {
  const counter = new DataView(new ArrayBuffer(4));
  counter.setUint32(0, step);
  const report = new DataView(new ArrayBuffer(8));
  report.setFloat32(0, loss);
  report.setFloat32(4, gradientNorm);
  return computeHash(
    'tapestry/leaf/v1',
    new Uint8Array(counter.buffer),
    computeMerkleRoot(asBytes(state.parameters)),
    computeMerkleRoot(asBytes(state.firstMoments)),
    computeMerkleRoot(asBytes(state.secondMoments)),
    new Uint8Array(report.buffer),
  );
}

/** The root over the leaves of a round, in order; 32 bytes. */
export function computeWorkRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return computeRootOfLeaves(leaves);
}
