import test from 'ava';
import { createSession } from '../../src/trainer/create-session.ts';

test('a graph that the runtime refuses is an error with a remedy', async (t) => {
  const error = await t.throwsAsync(createSession(Uint8Array.of(1, 2, 3), 1), { code: 'trainer-session' });
  t.truthy((error as unknown as { remedy: string }).remedy);
});
