import test, { type ExecutionContext } from 'ava';
import { runProgram } from '../../src/cli/program.ts';
import { createNetworkFolder } from '../../src/peer/network-folder.ts';
import type { PeerInit } from '../../src/peer/peer.ts';
import { createExampleManifest } from '../helpers/example-manifest.ts';
import { createCaughtContext } from '../helpers/fake-modules.ts';
import { makeTemporaryFolder } from '../helpers/temporary-folder.ts';

/** Runs a peer of a fresh home for one round, where CUDA works on the GPUs of these indices. */
async function runPeerOnce(t: ExecutionContext, gpus: readonly number[], ...args: string[]) {
  const home = await makeTemporaryFolder(t);
  await createNetworkFolder(home, createExampleManifest());
  const context = createCaughtContext();
  const inits: PeerInit[] = [];
  const modules: typeof context.modules = {
    ...context.modules,
    createPeer: (init) => {
      inits.push(init);
      return context.modules.createPeer(init);
    },
    probeCuda: async (index) => (gpus.includes(index) ? { index, problem: null } : context.modules.probeCuda(index)),
  };
  const code = await runProgram(['run', '--home', home, '--port', '0', '--until-round', '1', ...args], {
    ...context,
    modules,
  });
  return { code, device: inits[0]?.device, out: context.out(), err: context.err() };
}

test('without a wish the best device is taken, and said with the reason', async (t) => {
  const onGpu = await runPeerOnce(t, [0]);
  t.deepEqual(onGpu.device, { kind: 'cuda', index: 0 });
  t.regex(onGpu.out, /^device {2}cuda:0 \(CUDA works here\)$/m);
  const onCpu = await runPeerOnce(t, []);
  t.deepEqual(onCpu.device, { kind: 'cpu' });
  t.regex(onCpu.out, /^device {2}cpu \(CUDA cannot be used: libfake\.so is missing\)$/m);
});

test('programs read it as an event', async (t) => {
  const { out } = await runPeerOnce(t, [], '--json');
  t.like(JSON.parse(out.split('\n')[0]!), {
    event: 'device.chosen',
    device: 'cpu',
    reason: 'CUDA cannot be used: libfake.so is missing',
  });
});

test('a GPU that was named is the one', async (t) => {
  t.deepEqual((await runPeerOnce(t, [0, 2], '--device', 'cuda:2')).device, { kind: 'cuda', index: 2 });
});

test('a GPU that cannot be used ends the command before a peer is made, with what is missing', async (t) => {
  const { code, device, err } = await runPeerOnce(t, [0], '--device', 'cuda:1');
  t.is(code, 1);
  t.is(device, undefined);
  t.is(err.split('\n')[0], 'tapestry-peer: cuda:1: libfake.so is missing');
  t.regex(err, /^Install the fake provider\. /m);
});

test('a word that is no device is wrong usage', async (t) => {
  const { code, err } = await runPeerOnce(t, [], '--device', 'gpu');
  t.is(code, 2);
  t.regex(err, /--device/);
});
