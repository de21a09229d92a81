/**
 * Which text an inner step trains on: a pure function of a seed and the step, so that any step can be run again.
 * spec/data.md#batches
 *
 * B = batch, T = tokens
 */
import { computeHash, encodeUint64 } from '../../protocol/hash.ts';
import type { BatchShape } from '../graph/decoder.ts';
import type { TokenStream } from './token-stream.ts';

const drawBytes = 6;
const drawsPerHash = 5;

/**
 * B windows of T + 1 tokens, drawn with replacement.
 * @param stream at least T + 1 tokens
 * @param seed 32 bytes: one network and one peer
 * @param step global inner step, 0 or greater
 * @returns [B, T + 1], row-major
 */
export function computeBatch(stream: TokenStream, seed: Uint8Array, step: number, shape: BatchShape): Int32Array {
  const width = shape.sequenceLength + 1;
  const starts = computeBatchStarts(seed, step, shape.batchSize, stream.length - width + 1);
  const tokens = new Int32Array(shape.batchSize * width);
  for (const [row, start] of starts.entries()) {
    stream.read(start, tokens.subarray(row * width, (row + 1) * width));
  }
  return tokens;
}

/**
 * Numbers from 0 to range − 1: 48 bits each, modulo the range, five from every SHA-256 of
 * ("tapestry/batch/v1", seed, step, counter).
 */
export function computeBatchStarts(seed: Uint8Array, step: number, count: number, range: number): number[] {
  if (range < 1) {
    throw new RangeError(`A batch needs a stream of at least one window; the range is ${range}.`);
  }
  const starts: number[] = [];
  for (let counter = 0; starts.length < count; counter++) {
    const hash = Buffer.from(computeHash('tapestry/batch/v1', seed, encodeUint64(step), encodeUint64(counter)));
    for (let draw = 0; draw < drawsPerHash && starts.length < count; draw++) {
      starts.push(hash.readUIntBE(draw * drawBytes, drawBytes) % range);
    }
  }
  return starts;
}
