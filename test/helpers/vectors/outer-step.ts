/** Runs vectors of the format `outer-step`: base and contributions to the next base. */
import { decodeBody } from '../../../src/protocol/compressor/index.ts';
import { computeNextBase } from '../../../src/protocol/outer-step.ts';
import type { ExpectedBytes, ValueSource, VectorRunner } from './data.ts';
import { assertBytes, parseFloat64, parseHex, readValues, toBytes } from './data.ts';

/** An outer step: `next`, or the reason why there is none. */
export interface OuterStepVector {
  readonly name: string;
  readonly length: number;
  readonly chunkLength: number;
  readonly topK: number;
  /** float64, little-endian */
  readonly learningRate: string;
  readonly base: ValueSource;
  /** in summing order */
  readonly contributions: readonly { readonly weight: number; readonly clip: number; readonly body: string }[];
  readonly next?: ExpectedBytes;
  readonly reason?: string;
}

export const run: VectorRunner = (t, vector) => {
  const step = vector as OuterStepVector;
  const contributions = step.contributions.map(({ weight, clip, body }) => {
    const decoded = decodeBody(parseHex(body), step);
    if (decoded.outcome !== 'accept') throw new Error(`a contribution of the vector is refused: ${decoded.reason}`);
    return { weight, clip, body: decoded.value };
  });
  const learningRate = parseFloat64(step.learningRate);
  const next = computeNextBase(readValues(step.base), contributions, { optimizer: 'sgd', learningRate });
  if (next.outcome === 'accept') assertBytes(t, toBytes(next.value), step.next!);
  else t.is<string | undefined, string | undefined>(next.reason, step.reason);
};
