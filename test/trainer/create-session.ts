import test from 'ava';
import { TapestryError } from '../../src/protocol/errors.ts';
import { computeSessionOptions, createSession } from '../../src/trainer/create-session.ts';

test('a graph that the runtime refuses is an error with a remedy', async (t) => {
  const init = { threads: 1, device: { kind: 'cpu' } } as const;
  const error = await t.throwsAsync(createSession(Uint8Array.of(1, 2, 3), init), { instanceOf: TapestryError });
  t.is(error.code, 'trainer-session');
  t.truthy(error.remedy);
});

test('a GPU is given its number and sums in a fixed order; the CPU is not touched by either', (t) => {
  const cuda = computeSessionOptions({ threads: 2, device: { kind: 'cuda', index: 3 } });
  t.deepEqual(cuda.executionProviders, [{ name: 'cuda', deviceId: 3 }, 'cpu']);
  t.like(cuda.extra, { session: { use_deterministic_compute: '1', intra_op: { allow_spinning: '0' } } });
  const cpu = computeSessionOptions({ threads: 2, device: { kind: 'cpu' } });
  t.deepEqual(cpu.executionProviders, ['cpu']);
  t.deepEqual(cpu.extra, { session: { intra_op: { allow_spinning: '0' } } });
});

test('threads spin where that is asked for, and stop when a run is over', (t) => {
  const { extra } = computeSessionOptions({ threads: 2, device: { kind: 'cpu' }, spin: true });
  t.deepEqual(extra, { session: { intra_op: { allow_spinning: '1' }, force_spinning_stop: '1' } });
});
