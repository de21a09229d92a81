/** A decoded body as the vector it stands for: zero wherever nothing is sent. */
import type { DecodedBody } from '../../src/protocol/compressor/index.ts';

export function expandBody(body: DecodedBody): Float32Array {
  const update = new Float32Array(body.length);
  body.indices.forEach((index, element) => {
    update[index] = body.values[element]!;
  });
  return update;
}
