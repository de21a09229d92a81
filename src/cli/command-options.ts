/** Options that several commands share, and how their text is read. A wrong value is a usage error: exit code 2. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Config, resolveConfig } from '../peer/config.ts';
import { type PresetName, presets } from '../protocol/presets.ts';
import type { CliContext } from './cli-context.ts';

/** What every command takes. */
export interface CommonFlags {
  readonly home?: string;
  readonly json?: boolean;
}

/** What every command that runs one peer takes. */
export interface PeerFlags extends CommonFlags {
  readonly port?: number;
  readonly host?: string;
  readonly data?: readonly string[];
  readonly threads?: number;
  readonly peers?: readonly string[];
  readonly untilRound?: number;
}

/** What every command that makes a network takes. */
export interface NetworkFlags {
  readonly preset: PresetName;
  readonly set?: readonly (readonly [key: string, value: string])[];
  readonly seed?: string;
}

/** Adds `--home` and `--json`. */
export function addCommonOptions(command: Command): Command {
  return command
    .option('--home <folder>', 'folder of this peer (default: TAPESTRY_HOME, or the XDG data folder)')
    .option('--json', 'print JSON on stdout; text for people goes to stderr');
}

/** Adds the options of commands that run one peer. */
export function addPeerOptions(command: Command): Command {
  return addCommonOptions(command)
    .option(
      '--port <number>',
      'TCP port; 0 is any free one (default: 4731, or the next free one)',
      readCount(0, 65_535),
    )
    .option('--host <address>', 'address to listen on; 0.0.0.0 lets other machines in (default: 127.0.0.1)')
    .option('--data <folder...>', 'folders or files of .txt, .md or .jsonl (default: the starter corpus)')
    .option('--threads <number>', 'threads of the training session (default: all)', readCount(1, 1024))
    .option('--peers <address...>', 'multiaddresses of peers to dial first')
    .option('--until-round <number>', 'end after this many rounds of the network', readCount(1, 1e9));
}

/** Adds the options of commands that make a network. */
export function addNetworkOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--preset <name>', 'model and training numbers').choices(Object.keys(presets)).default('micro'),
    )
    .option(
      '--set <key=value>',
      'change a value of the manifest, for example compressor.k=64; repeatable',
      readSetting,
      [],
    )
    .option('--seed <text>', 'makes the first weights repeatable (default: random)');
}

/** Reads a whole number within bounds. */
export function readCount(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
  };
}

type Setting = readonly [key: string, value: string];

function readSetting(text: string, earlier: readonly Setting[] = []): Setting[] {
  const split = text.indexOf('=');
  if (split < 1) throw new InvalidArgumentError('Expected key=value.');
  return [...earlier, [text.slice(0, split), text.slice(split + 1)]];
}

/** Runs a command's handler; errors and exit codes are dealt with in one place, `program.ts`. */
export type Execute = (handler: (context: CliContext) => Promise<number>) => Promise<void>;

/** The configuration that these flags, the environment and the file come to. */
export function configure(context: CliContext, flags: PeerFlags): Promise<Config> {
  const { home, port, host, data, threads, peers } = flags;
  return resolveConfig({
    flags: { home, port, host, data, threads, peers },
    environment: context.environment,
    threads: context.threads,
  });
}
