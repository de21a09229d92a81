import test from 'ava';
import fc from 'fast-check';
import type { CompressorShape, DecodedBody } from '../../../src/protocol/compressor/index.ts';
import { decodeBody, encodeBody, subtractBody } from '../../../src/protocol/compressor/index.ts';
import { expandBody } from '../../helpers/expand-body.ts';
import { formatHex, generateValues, toBytes } from '../../helpers/vectors/data.ts';

function accept(bytes: Uint8Array, length: number, shape: CompressorShape): DecodedBody {
  const decoded = decodeBody(bytes, { ...shape, length });
  if (decoded.outcome !== 'accept') throw new Error(`refused: ${decoded.reason}`);
  return decoded.value;
}

const small: CompressorShape = { chunkLength: 16, topK: 4 };

test('gives indices in the flat vector, values and the squared norm', (t) => {
  const values = new Float32Array(32);
  values.set([1, -1, 1, -3], 3);
  values.set([2, 2, -2, 2], 25);
  const { indices, values: sent, squaredNorm, length } = accept(encodeBody(values, small), 32, small);
  t.is(length, 32);
  t.deepEqual([...indices], [3, 4, 5, 6, 25, 26, 27, 28]);
  t.deepEqual([...sent], [1, -1, 1, -3, 2, 2, -2, 2]);
  t.is(squaredNorm, 3 + 9 + 16);
});

test('gives +0 to an element at level zero, never −0', (t) => {
  const { indices, values, squaredNorm } = accept(encodeBody(new Float32Array(16), small), 16, small);
  t.deepEqual([...indices], [0, 1, 2, 3]);
  t.true([...values].every((value) => Object.is(value, 0)));
  t.is(squaredNorm, 0);
});

test('the squared norm is that of the update', (t) => {
  const shape = { chunkLength: 4096, topK: 64 };
  const body = accept(encodeBody(generateValues(9, 30_000), shape), 30_000, shape);
  const expected = expandBody(body).reduce((sum, value) => sum + value * value, 0);
  t.true(Math.abs(body.squaredNorm - expected) <= 1e-12 * expected);
});

test('the squared norm of the largest levels is finite', (t) => {
  const values = new Float32Array(32).fill(3.4028234663852886e38);
  t.true(Number.isFinite(accept(encodeBody(values, small), 32, small).squaredNorm));
});

/** Bodies small enough to flip every bit of, one of each kind. */
const zeroHeavy = new Float32Array(24);
zeroHeavy.set([1, -2], 9);
zeroHeavy[20] = 4;
const sparse = new Float32Array(4096);
sparse.set([3, -1, 2], 1000);
const bodies: readonly [string, Float32Array, CompressorShape][] = [
  ['64 of 4096', generateValues(1, 4096), { chunkLength: 4096, topK: 64 }],
  ['256 of 4096', generateValues(2, 4096), { chunkLength: 4096, topK: 256 }],
  ['256 of 4096 and a short last chunk', generateValues(3, 4400), { chunkLength: 4096, topK: 256 }],
  ['a last chunk of fewer values than are sent', generateValues(4, 19), small],
  ['chunks with elements at level zero', zeroHeavy, { chunkLength: 16, topK: 6 }],
  ['64 of 4096 with three values', sparse, { chunkLength: 4096, topK: 64 }],
  ['nothing but zeros', new Float32Array(40), small],
  ['one level', Float32Array.from({ length: 16 }, (_, i) => (i % 3 === 0 ? -1 : 1)), small],
  ['low bits with padding', generateValues(8, 24), { chunkLength: 12, topK: 3 }],
  ['everything sent', generateValues(9, 12), { chunkLength: 8, topK: 8 }],
  ['one element a chunk', generateValues(10, 16), { chunkLength: 8, topK: 1 }],
];

for (const [name, values, shape] of bodies) {
  test(`a flipped bit is refused or changes the update: ${name}`, (t) => {
    const { length } = values;
    const body = encodeBody(values, shape);
    const original = formatHex(toBytes(expandBody(accept(body, length, shape))));
    let accepted = 0;
    let refused = 0;
    for (let bit = 0; bit < body.length * 8; bit++) {
      const flipped = Uint8Array.from(body);
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      const decoded = decodeBody(flipped, { ...shape, length });
      if (decoded.outcome === 'reject') {
        refused++;
        continue;
      }
      accepted++;
      const update = expandBody(decoded.value);
      if (formatHex(toBytes(update)) === original) t.fail(`bit ${bit} gives a second encoding`);
      if (formatHex(encodeBody(update, shape)) !== formatHex(flipped)) t.fail(`bit ${bit} gives a body nobody encodes`);
    }
    t.is(accepted + refused, body.length * 8);
    t.true(refused > 0);
    t.is(
      accepted === 0,
      values.every((value) => value === 0),
    );
  });
}

test('of all bodies over three values no two stand for the same update', (t) => {
  const shape = { chunkLength: 3, topK: 2 };
  const levels = [0, 0x0001, 0x3f80, 0x3f81, 0x8000];
  const seen = new Set<string>();
  let accepted = 0;
  for (const low of levels) {
    for (const high of levels) {
      for (let index = 0; index < 32; index++) {
        for (let bits = 0; bits < 64; bits++) {
          const body = Uint8Array.of(low, low >>> 8, high, high >>> 8, index, bits & 7, bits >>> 3);
          const decoded = decodeBody(body, { ...shape, length: 3 });
          if (decoded.outcome === 'reject') continue;
          accepted++;
          seen.add(formatHex(toBytes(expandBody(decoded.value))));
        }
      }
    }
  }
  // 3 levels: 3 one-level pairs × 3 index pairs × 4 signs, 3 two-level pairs × 3 × 4 × 2 ways, with hi alone 3 × (3 × 2),
  // and the zero update.
  t.is(accepted, 3 * 3 * 4 + 3 * 3 * 4 * 2 + 3 * 6 + 1);
  t.is(seen.size, accepted);
});

test('whatever bytes are accepted are what the encoder writes for them', (t) => {
  const shape = { chunkLength: 6, topK: 3 };
  const bytes = fc.tuple(
    fc.constantFrom(0, 1, 0x3f80, 0x4000),
    fc.constantFrom(0, 1, 0x3f80, 0x4000),
    fc.nat(31),
    fc.nat(7),
    fc.nat(7),
    fc.nat(7),
  );
  let accepted = 0;
  fc.assert(
    fc.property(bytes, ([low, high, upper, lower, sign, magnitude]) => {
      const body = Uint8Array.of(low, low >>> 8, high, high >>> 8, upper, lower, sign, magnitude);
      const decoded = decodeBody(body, { ...shape, length: 6 });
      if (decoded.outcome === 'reject') return true;
      accepted++;
      return formatHex(encodeBody(expandBody(decoded.value), shape)) === formatHex(body);
    }),
    { seed: 20_262, numRuns: 20_000 },
  );
  t.true(accepted > 100, `${accepted} accepted`);
});

test('refuses a wrong length before it allocates anything', (t) => {
  const decoded = decodeBody(new Uint8Array(8), { length: 2 ** 32 - 1, chunkLength: 4096, topK: 256 });
  t.like(decoded, { outcome: 'reject', reason: 'body-length' });
});

test('refuses a body of another layout: chunk length, topK or number of values', (t) => {
  const body = encodeBody(generateValues(1, 8192), { chunkLength: 4096, topK: 64 });
  for (const shape of [
    { length: 8192, chunkLength: 4096, topK: 256 },
    { length: 8192, chunkLength: 2048, topK: 64 },
    { length: 8191, chunkLength: 4096, topK: 256 },
    { length: 4096, chunkLength: 4096, topK: 64 },
  ]) {
    t.like(decodeBody(body, shape), { outcome: 'reject', reason: 'body-length' });
  }
});

test('says which chunk is wrong', (t) => {
  const body = encodeBody(generateValues(1, 48), small);
  body.set([0xff, 0xff], 8 * 2);
  t.like(decodeBody(body, { ...small, length: 48 }), { reason: 'level-not-finite', facts: { chunk: 2, level: 'lo' } });
});

test('subtracts each element from its place', (t) => {
  const values = Float32Array.of(...new Float32Array(16), 0, 0, 1, 1, 0, 0, -1, 1);
  const body = accept(encodeBody(values, small), 24, small);
  const target = new Float32Array(24).fill(10);
  subtractBody(target, body);
  t.deepEqual(
    target,
    Float32Array.from(values, (value) => 10 - value),
  );
});

test('does not subtract from a vector of another length', (t) => {
  const body = accept(encodeBody(new Float32Array(16), small), 16, small);
  t.throws(() => subtractBody(new Float32Array(17), body), { instanceOf: RangeError });
});
