import test from 'ava';
import { Semaphore } from '../../../src/peer/network/semaphore.ts';

test('lets two in at once and the others in order, whether the work succeeds or fails', async (t) => {
  const semaphore = new Semaphore(2);
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<string>());
  const entered: number[] = [];
  const results = gates.map(({ promise }, index) =>
    semaphore.run(async () => {
      entered.push(index);
      return await promise;
    }),
  );
  await Promise.resolve();
  t.deepEqual(entered, [0, 1]);
  gates[1]!.reject(new Error('failed'));
  await t.throwsAsync(results[1]!, { message: 'failed' });
  t.deepEqual(entered, [0, 1, 2]);
  for (const index of [0, 2, 3]) gates[index]!.resolve(`done ${index}`);
  t.deepEqual(await Promise.all([results[0], results[2], results[3]]), ['done 0', 'done 2', 'done 3']);
});

test('who gives up waiting takes no place', async (t) => {
  const semaphore = new Semaphore(1);
  const gate = Promise.withResolvers<void>();
  const stop = new AbortController();
  const reason = new Error('enough');
  const first = semaphore.run(() => gate.promise);
  const second = semaphore.run(async () => t.fail(), stop.signal);
  const third = semaphore.run(async () => 3);
  stop.abort(reason);
  await t.throwsAsync(second, { is: reason });
  gate.resolve();
  await first;
  t.is(await third, 3);
  await t.throwsAsync(
    semaphore.run(async () => 4, stop.signal),
    { is: reason },
  );
  t.is(await semaphore.run(async () => 5), 5);
});
