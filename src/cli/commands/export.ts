/** `tapestry-peer export DIR`: writes a base of a network as a folder that Hugging Face's Llama classes load. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { resolveHome } from '../../peer/config.ts';
import { type CliContext, exitCodes, printerFor, printJson } from '../cli-context.ts';
import { addCommonOptions, type CommonFlags, type Execute, readCount } from '../command-options.ts';

interface ExportFlags extends CommonFlags {
  readonly round?: number;
  readonly network?: string;
  readonly dtype: 'f32' | 'bf16';
}

/** Declares the command. */
export function addExportCommand(program: Command, execute: Execute): void {
  addCommonOptions(program.command('export'))
    .argument('<folder>', 'folder to make')
    .option(
      '--round <number>',
      'the base after this round, 0 being the first (default: the newest here)',
      readCount(0, 1e9),
    )
    .option('--network <id>', 'network id or its first 16 digits (default: the last used one)')
    .addOption(
      new Option('--dtype <name>', 'how numbers are written; bf16 rounds them').choices(['f32', 'bf16']).default('f32'),
    )
    .description('write a base of a network in the format of Hugging Face')
    .action((folder: string, flags: ExportFlags) => execute((context) => exportBase(context, folder, flags)));
}

async function exportBase(context: CliContext, target: string, flags: ExportFlags): Promise<number> {
  const { loadBase } = await import('../../peer/load-model.ts');
  const { requireFreeFolder } = await import('../../trainer/checkpoint/folder-writer.ts');
  const { writeCheckpoint } = await import('../../trainer/checkpoint/write-checkpoint.ts');
  const print = printerFor(context, flags.json ?? false);
  const home = resolveHome(flags.home, context.environment).value;
  const folder = resolve(target);
  await requireFreeFolder(folder);
  const base = await loadBase({ home, network: flags.network, round: flags.round });
  const { networkId, round, root, from } = base;
  const parameters = base.parameters.length;
  print(`writing the ${from}, ${parameters.toLocaleString('en-US')} parameters`);
  const metadata = { tapestry_network: networkId, tapestry_round: String(round), tapestry_base: root };
  await writeCheckpoint(folder, base, metadata, { format: flags.dtype === 'bf16' ? 'BF16' : 'F32' });
  if (flags.json) {
    printJson(context, { folder, network: networkId, round, root, parameters, dtype: flags.dtype });
  }
  print(`exported to ${folder}`);
  return exitCodes.ok;
}
