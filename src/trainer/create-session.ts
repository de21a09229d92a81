/** Options and errors of every ONNX Runtime session: where it runs, how threads and memory are used. spec/trainer.md#sessions */

import { TapestryError } from '../protocol/errors.ts';
import { type Device, formatDevice } from './device.ts';
import { InferenceSession } from './onnx-runtime.ts';

/** How a session is made. */
export interface SessionInit {
  /** cores to use, 1 or greater; the results do not depend on it */
  readonly threads: number;
  readonly device: Device;
  /** true: threads that wait for work keep their cores busy, which is faster where no other process needs them */
  readonly spin?: boolean;
  /** how far the runtime may rewrite the graph; graphs of doubles need `disabled` */
  readonly optimization?: 'all' | 'disabled';
}

/** The runtime's options for a session; pure, so that tests can see what a GPU would be given. */
export function computeSessionOptions(init: SessionInit): InferenceSession.SessionOptions {
  const { threads, device, spin = false, optimization = 'all' } = init;
  return {
    // JavaScript can choose the GPU and nothing else of the CUDA provider: no memory limit, no stream, no TF32 switch.
    executionProviders: device.kind === 'cpu' ? ['cpu'] : [{ name: 'cuda', deviceId: device.index }, 'cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: optimization,
    // Patterns keep the memory of the largest run for ever; without them a session needs a quarter less.
    enableMemPattern: false,
    extra: {
      session: {
        // Threads that spin while they wait take the cores from the other peers of this machine.
        intra_op: { allow_spinning: spin ? '1' : '0' },
        ...(spin ? { force_spinning_stop: '1' } : {}),
        // Without it CUDA sums over rows with atomic additions, in another order every time.
        ...(device.kind === 'cuda' ? { use_deterministic_compute: '1' } : {}),
      },
    },
  };
}

/**
 * A session.
 * @throws {TapestryError} `trainer-session` when the runtime cannot be loaded or refuses the graph
 */
export async function createSession(model: Uint8Array, init: SessionInit): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(model, computeSessionOptions(init));
  } catch (cause) {
    const device = formatDevice(init.device);
    throw new TapestryError(
      'trainer-session',
      `onnxruntime-node made no session on ${device} with ${init.threads} threads: ${String(cause)}`,
      init.device.kind === 'cpu'
        ? 'Run `npm ci` again, and `tapestry-peer doctor` to see what is missing.'
        : 'Run `tapestry-peer doctor --gpu` to see what is missing; a model that does not fit wants a smaller batch.',
      { threads: init.threads, device },
      cause,
    );
  }
}
