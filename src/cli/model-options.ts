/** Options of commands that use a model of this machine, and the model they mean. */
import type { Command } from 'commander';
import type { ModelConfig } from '../protocol/model.ts';
import type { Tokenizer } from '../trainer/tokenizer/tokenizer.ts';
import type { CliContext } from './cli-context.ts';
import { addCommonOptions, type CommonFlags, configure, readCount } from './command-options.ts';

/** What every command that uses a model takes. */
export interface ModelFlags extends CommonFlags {
  readonly model?: string;
  readonly network?: string;
  readonly round?: number;
  readonly threads?: number;
}

/** A model ready to be used. */
export interface ChosenModel {
  readonly model: ModelConfig;
  readonly parameters: Float32Array;
  readonly tokenizer: Tokenizer;
  /** where it comes from, for people */
  readonly from: string;
  readonly threads: number;
}

/** Adds `--home`, `--json`, `--model`, `--network`, `--round` and `--threads`. */
export function addModelOptions(command: Command): Command {
  return addCommonOptions(command)
    .option('--model <name>', 'an imported model or a folder (default: the base of the last network)')
    .option('--network <id>', 'network id or its first 16 digits (default: the last used one)')
    .option('--round <number>', 'the base after this round (default: the newest)', readCount(0, 1e9))
    .option('--threads <number>', 'threads to compute with (default: all)', readCount(1, 1024));
}

/** Loads what the flags mean, with its tokenizer. ONNX Runtime is not needed yet. */
export async function chooseModel(context: CliContext, flags: ModelFlags): Promise<ChosenModel> {
  const { home, threads } = await configure(context, flags);
  const { loadModel } = await import('../peer/load-model.ts');
  const { loadTokenizer } = await import('../trainer/tokenizer/tokenizer.ts');
  const request = { home: home.value, model: flags.model, network: flags.network, round: flags.round };
  const { model, parameters, tokenizer, from } = await loadModel(request);
  return { model, parameters, tokenizer: await loadTokenizer(tokenizer), from, threads: threads.value };
}
