/** `tapestry-peer testnet up`: several real peers on this machine train one model together, and the result is checked. */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { type CliContext, exitCodeOf, exitCodes, printerFor, printJson } from '../cli-context.ts';
import { addNetworkOptions, type Execute, type NetworkFlags, readCount, readDevice } from '../command-options.ts';
import { describeDevice, resolveDevice } from '../resolve-device.ts';
import { compareSolo } from '../testnet/compare-solo.ts';
import { planTestnet, type TestnetPlan } from '../testnet/plan-testnet.ts';
import { superviseTestnet } from '../testnet/supervise-testnet.ts';
import { createTestnetDocument, describeTestnet, type TestnetDocument } from '../testnet/testnet-document.ts';
import { createLiveView } from '../ui/live-view.ts';

interface TestnetFlags extends NetworkFlags {
  readonly peers: number;
  readonly rounds: number;
  readonly data?: readonly string[];
  readonly dir?: string;
  readonly device: string;
  readonly compareSolo?: boolean;
  readonly json?: boolean;
}

/** Declares the command. */
export function addTestnetCommand(program: Command, execute: Execute): void {
  const testnet = program.command('testnet').description('networks of several peers on this machine');
  const command = testnet.command('up');
  addNetworkOptions(command)
    .description('start peers, train together for some rounds, print the result, end')
    .option('--peers <number>', 'peers: 1, or 3 and more', readPeers, 4)
    .option('--rounds <number>', 'rounds to train', readCount(1, 1e6), 60)
    .option('--data <folder...>', 'folders or files of text; peer i takes number i mod their count')
    .option('--dir <folder>', 'where to keep it; an earlier testnet there goes on (default: a fresh folder)')
    .option('--device <name>', 'what every peer trains on: auto, cpu, cuda or cuda:N', readDevice, 'cpu')
    .option('--compare-solo', 'then train the text of each peer alone, for comparison')
    .option('--json', 'print the result as one line of JSON on stdout; text for people goes to stderr')
    .action((flags: TestnetFlags) => {
      const typed = Object.keys(flags).filter((name) => command.getOptionValueSource(name) === 'cli');
      return execute((context) => runTestnet(context, flags, typed));
    });
}

function readPeers(text: string): number {
  const peers = readCount(1, 128)(text);
  if (peers !== 2) return peers;
  throw new InvalidArgumentError('Two peers would stop when one of them does: choose 1, or 3 and more.');
}

async function runTestnet(context: CliContext, flags: TestnetFlags, typed: readonly string[]): Promise<number> {
  const json = flags.json ?? false;
  const print = printerFor(context, json);
  const choice = await resolveDevice(context, flags.device);
  const { device } = choice;
  const plan = await planTestnet(context, { ...flags, device, set: flags.set ?? [], data: flags.data ?? [], typed });
  print(`${plan.resumed ? 'Going on with' : 'Starting'} ${plan.peers.length} peers in ${plan.dir}`);
  print(describeDevice(choice));
  const stream = json ? context.stderr : context.stdout;
  const view = createLiveView({ stream, environment: context.environment, nowMs: Date.now });
  const end = await superviseTestnet(context, plan, (state) => view.update(state)).finally(() => view.stop());
  if (end === null) {
    print(`Stopped. Go on with: npx tapestry-peer testnet up --dir ${plan.dir}`);
    return exitCodeOf(context.signal);
  }
  const document = await completeDocument(context, plan, createTestnetDocument(plan, end), flags, print);
  if (document === null) return exitCodeOf(context.signal);
  for (const line of describeTestnet(document, end.lost)) print(line);
  if (json) printJson(context, document);
  // A lost peer is behind and proves nothing: what counts is whether those that finished agree.
  const finished = document.peers.filter((_, index) => !end.lost.includes(plan.peers[index]!.name));
  if (!finished.every(({ root, rounds }) => root === finished[0]!.root && rounds === finished[0]!.rounds)) {
    return exitCodes.disagree;
  }
  return end.lost.length > 0 ? exitCodes.failed : exitCodes.ok;
}

/** Adds the comparison if it was asked for; null if a signal ended it. */
async function completeDocument(
  context: CliContext,
  plan: TestnetPlan,
  document: TestnetDocument,
  flags: TestnetFlags,
  print: (line: string) => void,
): Promise<TestnetDocument | null> {
  if (!flags.compareSolo) return document;
  try {
    return { ...document, soloLoss: await compareSolo(context, plan, print) };
  } catch (error) {
    if (context.signal.aborted) return null;
    throw error;
  }
}
