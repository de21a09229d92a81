import test from 'ava';
import fc from 'fast-check';
import type { DecodedBody } from '../../src/protocol/compressor/index.ts';
import { decodeBody, encodeBody } from '../../src/protocol/compressor/index.ts';
import type { ContributionFate } from '../../src/protocol/error-feedback.ts';
import { accumulateErrorFeedback, resolveErrorFeedback } from '../../src/protocol/error-feedback.ts';
import { expandBody } from '../helpers/expand-body.ts';
import { generateValues } from '../helpers/vectors/data.ts';

const shape = { chunkLength: 32, topK: 8 };

function compress(values: Float32Array): DecodedBody {
  const decoded = decodeBody(encodeBody(values, shape), { ...shape, length: values.length });
  if (decoded.outcome !== 'accept') throw new Error(decoded.reason);
  return decoded.value;
}

test('decays what is left and adds the pseudo-gradient', (t) => {
  const accumulated = accumulateErrorFeedback(Float32Array.of(1, -2, 0), Float32Array.of(4, 1, 0.5), 0.5);
  t.deepEqual(accumulated, Float32Array.of(4.5, 0, 0.5));
});

test('rounds the decayed value to float32 before it adds', (t) => {
  const [feedback, decay] = [1 + 2 ** -23, 0.1];
  const accumulated = accumulateErrorFeedback(Float32Array.of(feedback), Float32Array.of(-0.1), decay);
  t.is(accumulated[0], Math.fround(Math.fround(decay * feedback) + Math.fround(-0.1)));
  t.not(accumulated[0], Math.fround(decay * feedback + Math.fround(-0.1)));
});

test('without error feedback the pseudo-gradient is copied', (t) => {
  const gradient = Float32Array.of(1, -0, 2 ** -149);
  const accumulated = accumulateErrorFeedback(null, gradient, 0.95);
  t.deepEqual(accumulated, gradient);
  t.not(accumulated, gradient);
});

test('changes none of its inputs', (t) => {
  const feedback = generateValues(1, 64);
  const gradient = generateValues(2, 64);
  const accumulated = accumulateErrorFeedback(feedback, gradient, 0.95);
  const before = accumulated.slice();
  resolveErrorFeedback(accumulated, compress(accumulated), 'included');
  t.deepEqual(feedback, generateValues(1, 64));
  t.deepEqual(gradient, generateValues(2, 64));
  t.deepEqual(accumulated, before);
});

test('what was included is subtracted', (t) => {
  const accumulated = generateValues(3, 100);
  const body = compress(accumulated);
  const sent = expandBody(body);
  t.deepEqual(
    resolveErrorFeedback(accumulated, body, 'included'),
    accumulated.map((value, index) => Math.fround(value - sent[index]!)),
  );
});

for (const fate of ['unavailable', 'late', 'capped', 'unnamed'] as const satisfies ContributionFate[]) {
  test(`a contribution that was ${fate} is put back whole`, (t) => {
    const accumulated = generateValues(4, 100);
    t.deepEqual(resolveErrorFeedback(accumulated, compress(accumulated), fate), generateValues(4, 100));
    t.deepEqual(resolveErrorFeedback(accumulated, null, fate), generateValues(4, 100));
  });
}

for (const fate of ['gate', 'malformed', 'equivocated'] as const satisfies ContributionFate[]) {
  test(`a contribution that ended as ${fate} is forgotten`, (t) => {
    const accumulated = generateValues(5, 100);
    t.deepEqual(resolveErrorFeedback(accumulated, compress(accumulated), fate), new Float32Array(100));
  });
}

test('nothing is lost: what is sent and what is left are what there was, to half a unit in the last place', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), {
        minLength: 1,
        maxLength: 80,
      }),
      (numbers) => {
        const accumulated = Float32Array.from(numbers);
        const body = compress(accumulated);
        const sent = expandBody(body);
        const left = resolveErrorFeedback(accumulated, body, 'included');
        return accumulated.every((value, index) => {
          const lost = value - sent[index]! - left[index]!;
          return Math.abs(lost) <= Math.max(2 ** -150, Math.abs(left[index]!) * 2 ** -24);
        });
      },
    ),
    { seed: 20_266, numRuns: 1000 },
  );
  t.pass();
});

test('nothing is lost over rounds: with whole numbers and decay 1 it adds up exactly', (t) => {
  const length = 320;
  const total = new Float64Array(length);
  let feedback: Float32Array | null = null;
  for (let round = 0; round < 30; round++) {
    const gradient = generateValues(60 + round, length).map((value) => Math.round(value * 1000) * 1024);
    gradient.forEach((value, index) => {
      total[index]! += value;
    });
    const accumulated: Float32Array = accumulateErrorFeedback(feedback, gradient, 1);
    const fate: ContributionFate = round % 5 === 4 ? 'late' : 'included';
    const body = compress(accumulated);
    feedback = resolveErrorFeedback(accumulated, body, fate);
    if (fate === 'included') {
      expandBody(body).forEach((value, index) => {
        total[index]! -= value;
      });
    }
  }
  t.true(total.some((value) => value !== 0));
  t.deepEqual(Float64Array.from(feedback!), total);
});

test('an included contribution without its body is a bug of the caller', (t) => {
  t.throws(() => resolveErrorFeedback(new Float32Array(4), null, 'included'), { instanceOf: RangeError });
});

test('lengths that differ and decays out of range are bugs of the caller', (t) => {
  t.throws(() => accumulateErrorFeedback(new Float32Array(4), new Float32Array(5), 0.9), { instanceOf: RangeError });
  for (const decay of [-0.1, 1.1, Number.NaN]) {
    t.throws(() => accumulateErrorFeedback(null, new Float32Array(4), decay), { instanceOf: RangeError });
  }
});
