/** `tapestry-peer join LINK`: fetches a network's manifest from one of its peers and trains with them. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Identity } from '../../peer/identity.ts';
import {
  createNetworkFolder,
  locateNetwork,
  type NetworkFolder,
  openNetworkFolder,
} from '../../peer/network-folder.ts';
import { TapestryError } from '../../protocol/errors.ts';
import { toHex } from '../../protocol/hex.ts';
import { computeNetworkId } from '../../protocol/manifest-canonical.ts';
import { chooseData } from '../choose-data.ts';
import { type CliContext, nameNetwork, printerFor } from '../cli-context.ts';
import { addPeerOptions, configure, type Execute, type PeerFlags } from '../command-options.ts';
import { type JoinLink, parseJoinLink } from '../join-link.ts';
import { runPeer } from '../run-peer.ts';

/** Declares the command. */
export function addJoinCommand(program: Command, execute: Execute): void {
  addPeerOptions(program.command('join'))
    .argument('<link>', 'the line that a peer of the network printed: tapestry:<network id>@<address>')
    .description('train with the peers of a network; your contributions count, you do not vote')
    .action((link: string, flags: PeerFlags) => execute((context) => joinNetwork(context, link, flags)));
}

async function joinNetwork(context: CliContext, text: string, flags: PeerFlags): Promise<number> {
  const link = parseJoinLink(text);
  const config = await configure(context, flags);
  const home = config.home.value;
  const identity = await context.modules.loadOrCreateIdentity(join(home, 'identity.seed'));
  // Joiners spread over the kinds of the starter corpus without having to agree on who takes which.
  const data = await chooseData(config.data.value, identity.publicKey[0]!);
  const print = printerFor(context, flags.json ?? false);
  const network = await findNetwork(context, home, identity, link, print);
  print(`Joining network ${nameNetwork(network.manifest, network.networkId)}`);
  return runPeer(context, {
    config,
    network,
    data,
    bootstrap: link.addresses,
    untilRound: flags.untilRound ?? null,
    json: flags.json ?? false,
    stay: false,
    stopWithStdin: false,
  });
}

/** The network's folder if this home has it already, otherwise its manifest from the link's addresses. */
async function findNetwork(
  context: CliContext,
  home: string,
  identity: Identity,
  { networkId, addresses }: JoinLink,
  print: (line: string) => void,
): Promise<NetworkFolder> {
  const known = await openNetworkFolder(locateNetwork(home, networkId)).catch((error: unknown) => {
    if (error instanceof TapestryError && error.code === 'network-missing') return null;
    throw error;
  });
  if (known !== null) return known;
  print(`Asking ${addresses.length === 1 ? addresses[0] : `${addresses.length} addresses`} for the manifest`);
  const { seed } = identity;
  const { signal } = context;
  const manifest = await context.modules.fetchManifest({ seed, networkId, addresses: [...addresses], signal });
  const found = toHex(computeNetworkId(manifest));
  if (found !== networkId) {
    throw new TapestryError(
      'wrong-network',
      `the manifest from the link's addresses: expected network ${networkId}, found ${found}`,
      'Ask for a fresh link: the peers at these addresses belong to another network.',
      { expected: networkId, found },
    );
  }
  return createNetworkFolder(home, manifest);
}
