/** `tapestry-peer import DIR`: checks a model in the format of Hugging Face and keeps a copy that every command knows by name. */
import type { Command } from 'commander';
import { resolveHome } from '../../peer/config.ts';
import { type CliContext, exitCodes, printerFor, printJson } from '../cli-context.ts';
import { addCommonOptions, type CommonFlags, type Execute } from '../command-options.ts';

interface ImportFlags extends CommonFlags {
  readonly name?: string;
}

/** Declares the command. */
export function addImportCommand(program: Command, execute: Execute): void {
  addCommonOptions(program.command('import'))
    .argument('<folder>', 'config.json, model.safetensors (or shards with their index) and tokenizer.json')
    .option('--name <name>', 'what to call it (default: the name of the folder)')
    .description('check a Llama model in the format of Hugging Face and keep a copy of it')
    .action((folder: string, flags: ImportFlags) => execute((context) => importFolder(context, folder, flags)));
}

async function importFolder(context: CliContext, folder: string, flags: ImportFlags): Promise<number> {
  const { importModel } = await import('../../peer/model-library.ts');
  const { loadTokenizer } = await import('../../trainer/tokenizer/tokenizer.ts');
  const print = printerFor(context, flags.json ?? false);
  const home = resolveHome(flags.home, context.environment).value;
  print(`reading ${folder}`);
  const { tokenizer: source, ...imported } = await importModel(home, folder, flags.name);
  const { kind, vocabSize } = await loadTokenizer(source);
  if (flags.json) printJson(context, { ...imported, tokenizer: { kind, vocabSize } });
  const { name, parameters, tensors, root } = imported;
  print(`imported "${name}": ${parameters.toLocaleString('en-US')} parameters in ${tensors} tensors`);
  print(`  tokenizer  ${kind === 'bytes' ? 'bytes' : `tokenizer.json, ${vocabSize.toLocaleString('en-US')} tokens`}`);
  print(`  base       ${root}`);
  print(`  kept in    ${imported.folder}`);
  return exitCodes.ok;
}
