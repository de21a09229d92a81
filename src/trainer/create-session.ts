/** Options and errors of every ONNX Runtime session: how threads and memory are used. spec/trainer.md#sessions */

import { TapestryError } from '../protocol/errors.ts';
import { InferenceSession } from './onnx-runtime.ts';

/**
 * A session on the CPU.
 * @param threads cores to use, 1 or greater; the results do not depend on it
 * @throws {TapestryError} `trainer-session` when the runtime cannot be loaded or refuses the graph
 */
export async function createSession(
  model: Uint8Array,
  threads: number,
  optimization: 'all' | 'disabled' = 'all',
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(model, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: optimization,
      // Patterns keep the memory of the largest run for ever; without them a session needs a quarter less.
      enableMemPattern: false,
      // Threads that spin while they wait take the cores from the other peers of this machine.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
  } catch (cause) {
    throw new TapestryError(
      'trainer-session',
      `onnxruntime-node made no session on the CPU with ${threads} threads: ${String(cause)}`,
      'Run `npm ci` again, and `tapestry-peer doctor` to see what is missing.',
      { threads },
      cause,
    );
  }
}
