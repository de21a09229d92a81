import test from 'ava';
import { probeCuda, runProbeProcess } from '../../src/trainer/probe-cuda.ts';

test('the attempt is made on the GPU that was named, and what it came to is explained', async (t) => {
  const asked: number[] = [];
  const run = async (index: number) => {
    asked.push(index);
    return { code: 0, signal: null, text: 'usable\n' };
  };
  t.deepEqual(await probeCuda(2, run), { index: 2, problem: null });
  t.deepEqual(asked, [2]);
});

test('on this machine, whatever it has, the real attempt ends by itself with an answer', async (t) => {
  const output = await runProbeProcess(99);
  t.is(output.signal, null, output.text);
  // There is no machine with a hundred GPUs: something is always missing, and it is never what nobody understands.
  const { problem } = await probeCuda(99, async () => output);
  t.truthy(problem);
  t.not(problem!.kind, 'unknown', output.text);
  t.not(problem!.kind, 'crash', output.text);
});
