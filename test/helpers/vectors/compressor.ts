/** Runs vectors of the format `compressor`: bodies that encode and decode, and bodies that are refused. */
import { computeBodyLength, decodeBody, encodeBody } from '../../../src/protocol/compressor/index.ts';
import { expandBody } from '../expand-body.ts';
import type { ExpectedBytes, ValueSource, VectorRunner } from './data.ts';
import { assertBytes, formatFloat64, formatHex, parseHex, readValues, toBytes } from './data.ts';

/** Values, their body, and the update that the body stands for. */
export interface EncodeVector {
  readonly name: string;
  readonly chunkLength: number;
  readonly topK: number;
  readonly values: ValueSource;
  readonly length: number;
  readonly body: string;
  /** the update as N float32 values, little-endian */
  readonly update: ExpectedBytes;
  /** float64, little-endian */
  readonly squaredNorm: string;
}

/** A body that must be refused. */
export interface RejectVector {
  readonly name: string;
  readonly chunkLength: number;
  readonly topK: number;
  readonly length: number;
  readonly body: string;
  readonly reason: string;
}

export const run: VectorRunner = (t, vector) => {
  const shape = vector as EncodeVector | RejectVector;
  const decoded = decodeBody(parseHex(shape.body), shape);
  if ('reason' in shape) {
    t.like(decoded, { outcome: 'reject', reason: shape.reason });
    return;
  }
  const body = encodeBody(readValues(shape.values), shape);
  t.is(formatHex(body), shape.body);
  t.is(computeBodyLength(shape.length, shape), body.length);
  if (decoded.outcome !== 'accept') {
    t.fail(`refused: ${decoded.reason}`);
    return;
  }
  assertBytes(t, toBytes(expandBody(decoded.value)), shape.update);
  t.is(formatFloat64(decoded.value.squaredNorm), shape.squaredNorm);
};
