import test from 'ava';
import { TapestryError } from '../../src/protocol/errors.ts';
import { chooseDevice, formatDevice, parseDevice } from '../../src/trainer/device.ts';
import type { CudaProbe } from '../../src/trainer/probe-cuda.ts';

const missing = { kind: 'library', library: 'libx.so', message: 'libx.so is missing', remedy: 'Install x.' } as const;
const works = async (index: number): Promise<CudaProbe> => ({ index, problem: null });
const fails = async (index: number): Promise<CudaProbe> => ({ index, problem: missing });

test('devices are read and written', (t) => {
  t.deepEqual(parseDevice('auto'), { kind: 'auto' });
  t.deepEqual(parseDevice('cpu'), { kind: 'cpu' });
  t.deepEqual(parseDevice('cuda'), { kind: 'cuda', index: 0 });
  t.deepEqual(parseDevice('cuda:12'), { kind: 'cuda', index: 12 });
  t.is(formatDevice({ kind: 'cpu' }), 'cpu');
  t.is(formatDevice({ kind: 'cuda', index: 3 }), 'cuda:3');
});

for (const text of ['', 'gpu', 'CPU', 'cuda:', 'cuda:-1', 'cuda:1x', 'cuda:100', 'cpu:0', ' cpu', 'cuda:1\n']) {
  test(`refuses ${JSON.stringify(text)} as a device`, (t) => {
    t.is(t.throws(() => parseDevice(text), { instanceOf: TapestryError }).code, 'device-unknown');
  });
}

test('auto is the first GPU where CUDA works, else the CPU, and says why', async (t) => {
  t.deepEqual((await chooseDevice({ kind: 'auto' }, works)).device, { kind: 'cuda', index: 0 });
  const { device, reason } = await chooseDevice({ kind: 'auto' }, fails);
  t.deepEqual(device, { kind: 'cpu' });
  t.regex(reason, /libx\.so is missing/);
});

test('a GPU that was asked for is used, or an error with what is missing and what to do: never the CPU', async (t) => {
  const wish = { kind: 'cuda', index: 2 } as const;
  t.deepEqual((await chooseDevice(wish, works)).device, wish);
  const error = await t.throwsAsync(chooseDevice(wish, fails), { instanceOf: TapestryError });
  t.is(error.code, 'cuda-unusable');
  t.is(error.message, 'cuda:2: libx.so is missing');
  t.regex(error.remedy, /^Install x\. /);
  t.like(error.facts, { device: 'cuda:2', library: 'libx.so' });
});

test('the CPU is taken without looking for a GPU', async (t) => {
  const { device } = await chooseDevice({ kind: 'cpu' }, () => Promise.reject(new Error('looked')));
  t.deepEqual(device, { kind: 'cpu' });
});
