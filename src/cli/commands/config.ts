/** `tapestry-peer config`: every value of this peer's configuration and where it came from. */
import type { Command } from 'commander';
import { type Config, configMeanings } from '../../peer/config.ts';
import { type CliContext, exitCodes, printerFor, printJson } from '../cli-context.ts';
import { addPeerOptions, configure, type Execute, type PeerFlags } from '../command-options.ts';

/** Declares the command. */
export function addConfigCommand(program: Command, execute: Execute): void {
  addPeerOptions(program.command('config'))
    .description('print every value of the configuration and where it came from')
    .action((flags: PeerFlags) => execute((context) => printConfig(context, flags)));
}

async function printConfig(context: CliContext, flags: PeerFlags): Promise<number> {
  const config = await configure(context, flags);
  if (flags.json) {
    printJson(context, config);
    return exitCodes.ok;
  }
  const rows = (Object.keys(config) as (keyof Config)[]).map((key) => {
    const { value, origin, from } = config[key];
    const source = origin === 'default' ? 'default' : `${origin}: ${from}`;
    return [key, JSON.stringify(value), source, configMeanings[key]] as const;
  });
  const width = (column: 0 | 1 | 2): number => Math.max(...rows.map((row) => row[column].length));
  const widths = [width(0), width(1), width(2)] as const;
  const print = printerFor(context, false);
  for (const [key, value, source, meaning] of rows) {
    print(`${key.padEnd(widths[0])}  ${value.padEnd(widths[1])}  ${source.padEnd(widths[2])}  ${meaning}`);
  }
  return exitCodes.ok;
}
