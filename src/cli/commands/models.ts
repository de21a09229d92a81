/** `tapestry-peer models`: the models that were imported into this home. */
import type { Command } from 'commander';
import { resolveHome } from '../../peer/config.ts';
import type { ModelEntry } from '../../peer/model-library.ts';
import { type CliContext, exitCodes, printerFor, printJson } from '../cli-context.ts';
import { addCommonOptions, type CommonFlags, type Execute } from '../command-options.ts';

/** Declares the command. */
export function addModelsCommand(program: Command, execute: Execute): void {
  addCommonOptions(program.command('models'))
    .description('list the imported models')
    .action((flags: CommonFlags) => execute((context) => printModels(context, flags)));
}

async function printModels(context: CliContext, flags: CommonFlags): Promise<number> {
  const { listModels, modelsFolder } = await import('../../peer/model-library.ts');
  const home = resolveHome(flags.home, context.environment).value;
  const models = await listModels(home);
  if (flags.json) {
    printJson(context, { home, models });
    return exitCodes.ok;
  }
  const print = printerFor(context, false);
  print(
    models.length === 0 ? `${home}: no models yet. Import one with "tapestry-peer import DIR".` : modelsFolder(home),
  );
  for (const entry of models) print(`  ${describe(entry)}`);
  return exitCodes.ok;
}

function describe({ name, model, parameters, root, problem }: ModelEntry): string {
  if (model === null) return `${name}: cannot be used: ${problem}`;
  const { vocabSize, contextLength } = model;
  const shape = `${parameters.toLocaleString('en-US')} parameters, vocabulary ${vocabSize.toLocaleString('en-US')}, context ${contextLength}`;
  return `${name}: ${shape}${root === '' ? '' : `, base ${root.slice(0, 16)}`}`;
}
