import { createHash } from 'node:crypto';
import test from 'ava';
import { computeInitialBase } from '../../src/protocol/initial-base.ts';
import { computeModelLayout } from '../../src/protocol/model.ts';
import { presets } from '../../src/protocol/presets.ts';

const { model } = presets.nano;
const seed = new Uint8Array(32).fill(7);
const layout = computeModelLayout(model);

function tensor(base: Float32Array, name: string): Float32Array {
  const slot = layout.tensors.find((candidate) => candidate.name === name)!;
  return base.subarray(slot.offset, slot.offset + slot.length);
}

function moments(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(square) };
}

test('has the same bits everywhere', (t) => {
  const base = computeInitialBase(model, seed);
  const bytes = new Uint8Array(base.buffer);
  t.is(
    createHash('sha256').update(bytes).digest('hex'),
    '9358fb071209760c80112bab9aeacc6506028efeb200e87624534ce9bf18db3f',
  );
  t.deepEqual(computeInitialBase(model, seed), base);
});

test('norms are ones', (t) => {
  const base = computeInitialBase(model, seed);
  t.true(tensor(base, 'model.norm.weight').every((value) => value === 1));
  t.true(tensor(base, 'model.layers.3.input_layernorm.weight').every((value) => value === 1));
});

test('matrices are centred, spread as stated and within six deviations', (t) => {
  const base = computeInitialBase(model, seed);
  for (const [name, expected] of [
    ['model.embed_tokens.weight', 0.02],
    ['model.layers.0.self_attn.q_proj.weight', 0.02],
    ['model.layers.0.self_attn.o_proj.weight', 0.02 / Math.sqrt(8)],
    ['model.layers.3.mlp.down_proj.weight', 0.02 / Math.sqrt(8)],
  ] as const) {
    const values = tensor(base, name);
    const { mean, deviation } = moments(values);
    t.true(Math.abs(mean) < (4 * expected) / Math.sqrt(values.length), `${name} mean ${mean}`);
    t.true(Math.abs(deviation / expected - 1) < 0.05, `${name} deviation ${deviation}`);
    t.true(values.every((value) => Math.abs(value) <= 6 * expected));
  }
});

test('another seed and another tensor give other numbers', (t) => {
  const base = computeInitialBase(model, seed);
  const other = computeInitialBase(model, new Uint8Array(32));
  t.notDeepEqual(tensor(base, 'model.embed_tokens.weight'), tensor(other, 'model.embed_tokens.weight'));
  t.notDeepEqual(
    tensor(base, 'model.layers.0.self_attn.k_proj.weight'),
    tensor(base, 'model.layers.0.self_attn.v_proj.weight'),
  );
});

test('an output matrix of its own is drawn like every other matrix, and the rest stays the same', (t) => {
  const untied = { ...model, tiedEmbeddings: false };
  const base = computeInitialBase(untied, seed);
  const last = computeModelLayout(untied).tensors.at(-1)!;
  t.deepEqual([last.name, last.shape, last.offset], ['lm_head.weight', [model.vocabSize, model.dim], layout.length]);
  const { mean, deviation } = moments(base.subarray(last.offset));
  t.true(Math.abs(mean) < 1e-3 && Math.abs(deviation - 0.02) < 1e-3, `${mean} ${deviation}`);
  t.deepEqual(base.subarray(0, layout.length), computeInitialBase(model, seed));
});
