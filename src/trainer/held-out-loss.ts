/**
 * Loss of given parameters on held-out text of several kinds. spec/trainer.md#evaluation
 *
 * S = sequences, T = tokens
 */
import { TapestryError } from '../protocol/errors.ts';
import { type HeldOutKind, selectWindows } from './data/load-data.ts';
import type { BatchShape } from './graph/decoder.ts';
import type { LossSession } from './loss-session.ts';
import type { Evaluation } from './trainer-types.ts';

/**
 * The mean over kinds, each with equal weight, in nats a byte.
 * @param count most sequences of each kind
 * @param pause called between runs; throws to stop
 * @throws {TapestryError} `held-out-too-small`
 */
export async function measureHeldOutLoss(
  session: LossSession,
  batch: BatchShape,
  parameters: Float32Array,
  kinds: readonly HeldOutKind[],
  count: number,
  pause: () => Promise<void>,
): Promise<Evaluation> {
  const perKind: { kind: string; loss: number; bytes: number }[] = [];
  for (const { kind, stream, tokensPerByte } of kinds) {
    const windows = selectWindows(stream, count, batch.sequenceLength);
    if (windows.length === 0) {
      throw new TapestryError(
        'held-out-too-small',
        `The held-out text of kind ${kind} has ${stream.length} tokens; one sequence takes ${batch.sequenceLength + 1}.`,
        'Give more text: every 20th block of it is kept aside.',
        { kind, tokens: stream.length },
      );
    }
    const { loss, tokens } = await measureMeanLoss(session, batch, parameters, windows, pause);
    perKind.push({ kind, loss: loss * tokensPerByte, bytes: Math.round(tokens / tokensPerByte) });
  }
  return { mean: perKind.reduce((sum, { loss }) => sum + loss, 0) / perKind.length, perKind };
}

/** @param windows [S, T + 1] @returns nats a token, and predicted tokens */
async function measureMeanLoss(
  session: LossSession,
  { batchSize, sequenceLength }: BatchShape,
  parameters: Float32Array,
  windows: Int32Array,
  pause: () => Promise<void>,
): Promise<{ loss: number; tokens: number }> {
  const width = sequenceLength + 1;
  const sequences = windows.length / width;
  let sum = 0;
  for (let first = 0; first < sequences; first += batchSize) {
    await pause();
    const losses = await session.run(parameters, windows.subarray(first * width, (first + batchSize) * width));
    sum = losses.reduce((total, loss) => total + loss, sum);
  }
  return { loss: sum / sequences, tokens: sequences * sequenceLength };
}
