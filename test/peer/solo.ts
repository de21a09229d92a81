import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { runSolo, type SoloInit } from '../../src/peer/solo.ts';
import { TapestryError } from '../../src/protocol/errors.ts';
import { createSmallNetwork } from '../helpers/small-network.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

const { manifest } = createSmallNetwork(3, [['inner.steps', '5']]);
const init: SoloInit = {
  manifest,
  networkFolder: '/nowhere',
  device: { kind: 'cpu' },
  data: { kind: 'starter', kindIndex: 0 },
  threads: 1,
  rounds: 6,
  onEvent: () => undefined,
};

/** A temporary folder for this test alone. */
async function useOwnTemporary(t: ExecutionContext): Promise<void> {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = await makeTemporaryFolder(t);
  t.teardown(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
}

test.serial('trains for as many steps as its rounds have, is better for it, and leaves nothing', async (t) => {
  const events: { readonly event: string; readonly step?: unknown; readonly of?: unknown }[] = [];
  await useOwnTemporary(t);
  const result = await runSolo({ ...init, onEvent: (event) => events.push(event) });
  const progress = events.filter(({ event }) => event === 'training.progressed');
  t.like(progress.at(-1), { step: 30, of: 30 });
  t.is(Object.keys(result.perKind).length, 4);
  const losses = Object.values(result.perKind);
  t.true(Math.abs(result.mean - losses.reduce((sum, loss) => sum + loss, 0) / 4) < 1e-9);
  t.true(result.mean < 5.2, `${result.mean} of the ${Math.log(256)} of a model that knows nothing`);
  t.deepEqual(await readdir(tmpdir()), []);
});

test.serial('what is measured is the trained model: every few steps are better than none', async (t) => {
  const measure = async (rounds: number, learningRate: string): Promise<number> => {
    const settings: [string, string][] = [['inner.learningRate', learningRate]];
    return (await runSolo({ ...init, manifest: createSmallNetwork(3, settings).manifest, rounds })).mean;
  };
  const untrained = await measure(1, '1e-12');
  const less = await measure(4, '6e-3');
  const more = await measure(8, '6e-3');
  t.true(Math.abs(untrained - Math.log(256)) < 0.05, `${untrained}`);
  t.true(less < untrained && more < less, `${untrained} ${less} ${more}`);
});

test.serial('another text gives another result', async (t) => {
  const less = await runSolo({ ...init, rounds: 1 });
  const other = await runSolo({ ...init, rounds: 1, data: { kind: 'starter', kindIndex: 2 } });
  t.not(less.mean, other.mean);
});

test.serial('ends when it is told to, and leaves nothing', async (t) => {
  const controller = new AbortController();
  await useOwnTemporary(t);
  const onEvent = (): void => controller.abort();
  const running = runSolo({ ...init, rounds: 10_000, onEvent, signal: controller.signal });
  await t.throwsAsync(running, { name: 'AbortError' });
  t.deepEqual(await readdir(tmpdir()), []);
});

test.serial('text that is not there is said', async (t) => {
  const data = { kind: 'path', paths: ['/nowhere/at/all'] } as const;
  const error = await t.throwsAsync(runSolo({ ...init, data }), { instanceOf: TapestryError });
  t.is(error.code, 'data-missing');
});
