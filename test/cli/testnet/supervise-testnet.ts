import test, { type ExecutionContext } from 'ava';
import { planTestnet, type TestnetPlan } from '../../../src/cli/testnet/plan-testnet.ts';
import { superviseTestnet } from '../../../src/cli/testnet/supervise-testnet.ts';
import type { ViewState } from '../../../src/cli/ui/view-state.ts';
import { type CaughtContext, createCaughtContext } from '../../helpers/fake-modules.ts';
import type { FakeFaults } from '../../helpers/fake-peer.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

async function prepare(t: ExecutionContext, peers: number, faults: FakeFaults): Promise<[CaughtContext, TestnetPlan]> {
  const context = createCaughtContext(faults);
  const dir = await makeTemporaryFolder(t);
  const device = { kind: 'cpu' } as const;
  const wishes = { dir, peers, rounds: 3, preset: 'nano', set: [], data: [], device, typed: [] } as const;
  return [context, await planTestnet(context, wishes)];
}

test('a peer that dies again and again is given up, the others finish', async (t) => {
  const [context, plan] = await prepare(t, 4, { crash: { name: 'peer-3', round: 1, always: true } });
  const states: ViewState[] = [];
  const end = await superviseTestnet(context, plan, (state) => states.push(state), { most: 1, afterMs: 0 });
  t.deepEqual(end!.lost, ['peer-3']);
  t.deepEqual(
    end!.statuses.slice(0, 3).map((status) => status!.round),
    [3, 3, 3],
  );
  t.is(states.at(-1)!.peers[3]!.state, 'lost');
  t.true(states.at(-1)!.notices.some((notice) => notice.startsWith('peer-3 ended again (SIGKILL)')));
});

test('without a quorum it ends and does not wait for ever', async (t) => {
  const [context, plan] = await prepare(t, 3, { idle: true, crash: { name: 'peer-1', round: 0, always: true } });
  const states: ViewState[] = [];
  const shown = (state: ViewState): void => void states.push(state);
  // Of three, two are enough: it takes a second loss. Of one, none is.
  const alone = { ...plan, peers: plan.peers.slice(1, 2) };
  const end = await superviseTestnet(context, alone, shown, { most: 0, afterMs: 0 });
  t.deepEqual(end!.lost, ['peer-1']);
  t.true(states.at(-1)!.notices.at(-1)!.includes('0 peers are left, the network needs 1 to go on'));
});
