/** Trains each peer's text alone for as many steps as the testnet did: what the shared base has to be better than. */

import { locateNetwork } from '../../peer/network-folder.ts';
import type { CliContext, Print } from '../cli-context.ts';
import { formatLoss } from '../ui/format.ts';
import type { TestnetPlan } from './plan-testnet.ts';

const atOnce = 2;

/**
 * Held-out loss of each peer that trains alone.
 * @returns losses in nats per byte, in the order of the peers, and the least of them
 */
export async function compareSolo(
  context: CliContext,
  plan: TestnetPlan,
  print: Print,
): Promise<{ best: number; perPeer: number[] }> {
  const perPeer: number[] = [];
  const waiting = [...plan.peers.entries()];
  const threads = Math.max(1, Math.floor(context.threads / atOnce));
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, { name, home, data }] = next;
      context.signal.throwIfAborted();
      print(`${name} trains alone for ${plan.rounds * plan.manifest.inner.steps} steps`);
      const { manifest, rounds } = plan;
      const { signal } = context;
      const networkFolder = locateNetwork(home, plan.networkId);
      const choice = { data, threads, device: plan.device };
      const init = { manifest, networkFolder, ...choice, rounds, onEvent: () => {}, signal };
      const { mean } = await context.modules.runSolo(init);
      perPeer[index] = mean;
      print(`${name} alone: held-out loss ${formatLoss(mean, '-')}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return { best: Math.min(...perPeer), perPeer };
}
