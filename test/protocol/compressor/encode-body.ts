import test from 'ava';
import fc from 'fast-check';
import { decodeBody, encodeBody } from '../../../src/protocol/compressor/index.ts';
import { TapestryError } from '../../../src/protocol/errors.ts';
import { expandBody } from '../../helpers/expand-body.ts';
import { encodeBodySlowly } from '../../helpers/reference-compressor.ts';
import { formatHex, generateValues } from '../../helpers/vectors/data.ts';

function decode(bytes: Uint8Array, length: number, shape: { chunkLength: number; topK: number }): Float32Array {
  const decoded = decodeBody(bytes, { ...shape, length });
  if (decoded.outcome !== 'accept') throw new Error(`refused: ${decoded.reason}`);
  return expandBody(decoded.value);
}

/** Numbers that make trouble: ties, zeros of both signs, subnormals, the largest, neighbours. */
const hardNumber = fc.oneof(
  fc.integer({ min: -4, max: 4 }).map((whole) => (whole === 0 ? -0 : whole)),
  fc.constantFrom(0, 0, 0, 1, 1 + 2 ** -23, 1 - 2 ** -24, 2 ** -149, -(2 ** -133), 2 ** -134, 3.4028234663852886e38),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
);
const shapeAndValues = fc
  .record({ chunkLength: fc.integer({ min: 1, max: 40 }), share: fc.float({ min: 0, max: 1, noNaN: true }) })
  .chain(({ chunkLength, share }) =>
    fc.record({
      shape: fc.constant({ chunkLength, topK: Math.max(1, Math.ceil(share * chunkLength)) }),
      values: fc
        .oneof(
          fc.array(hardNumber, { minLength: 1, maxLength: 100 }),
          fc.array(fc.constantFrom(0, 0, 0, 0, 1, -1, 2 ** -149), { minLength: 1, maxLength: 100 }),
        )
        .map((numbers) => Float32Array.from(numbers)),
    }),
  );

test('sends the largest magnitudes of a chunk at two levels', (t) => {
  const values = Float32Array.of(0, 1, 0, 0, 0, 0.5, -3, 0, 0.25, 0, 0, 0, 0, 0, 0, 4);
  const update = decode(encodeBody(values, { chunkLength: 16, topK: 4 }), 16, { chunkLength: 16, topK: 4 });
  t.deepEqual(update, Float32Array.of(0, 0.75, 0, 0, 0, 0.75, -3.5, 0, 0, 0, 0, 0, 0, 0, 0, 3.5));
});

test('does not change its input', (t) => {
  const values = generateValues(1, 5000);
  const copy = values.slice();
  encodeBody(values, { chunkLength: 4096, topK: 256 });
  t.deepEqual(values, copy);
});

test('reads a view that does not start where its buffer starts', (t) => {
  const values = generateValues(1, 100);
  const shape = { chunkLength: 16, topK: 4 };
  t.deepEqual(encodeBody(values.subarray(7), shape), encodeBody(values.slice(7), shape));
});

test('never sends a value to a coordinate that has none', (t) => {
  const values = new Float32Array(16);
  values.set([5, -1], 9);
  const update = decode(encodeBody(values, { chunkLength: 16, topK: 4 }), 16, { chunkLength: 16, topK: 4 });
  t.deepEqual(update, Float32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 3, -3, 0, 0, 0, 0, 0));
});

for (const [name, value] of [
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['minus infinity', Number.NEGATIVE_INFINITY],
] as const) {
  test(`refuses ${name} and says where it is`, (t) => {
    const values = generateValues(1, 40);
    values[33] = value;
    const error = t.throws(() => encodeBody(values, { chunkLength: 16, topK: 4 }), { instanceOf: TapestryError });
    t.is(error?.code, 'compressor-not-finite');
    t.is(error?.facts.index, 33);
  });
}

test('gives the bytes of the slow reference for hard numbers and any shape', (t) => {
  fc.assert(
    fc.property(shapeAndValues, ({ shape, values }) => {
      return formatHex(encodeBody(values, shape)) === formatHex(encodeBodySlowly(values, shape));
    }),
    { seed: 20_260, numRuns: 3000 },
  );
  t.pass();
});

test('gives the bytes of the slow reference for 64 and 256 of 4096 and a short last chunk', (t) => {
  for (const topK of [64, 256]) {
    for (const length of [4096, 9001]) {
      const values = generateValues(topK + length, length);
      const shape = { chunkLength: 4096, topK };
      t.is(formatHex(encodeBody(values, shape)), formatHex(encodeBodySlowly(values, shape)));
    }
  }
});

test('gives the bytes of the slow reference where magnitudes share their upper digits', (t) => {
  const shape = { chunkLength: 512, topK: 100 };
  for (const step of [2 ** -23, 2 ** -13, 2 ** -10]) {
    const values = generateValues(3, 2048).map(
      (value, index) => (index % 2 ? 1 : -1) * (1 + Math.round(value * 64) ** 2 * step),
    );
    t.is(formatHex(encodeBody(values, shape)), formatHex(encodeBodySlowly(values, shape)));
  }
});

test('encodes a decoded body to the same bytes', (t) => {
  fc.assert(
    fc.property(shapeAndValues, ({ shape, values }) => {
      const body = encodeBody(values, shape);
      return formatHex(encodeBody(decode(body, values.length, shape), shape)) === formatHex(body);
    }),
    { seed: 20_261, numRuns: 3000 },
  );
  for (const topK of [64, 256]) {
    const shape = { chunkLength: 4096, topK };
    const body = encodeBody(generateValues(topK, 20_000), shape);
    t.is(formatHex(encodeBody(decode(body, 20_000, shape), shape)), formatHex(body));
  }
});
