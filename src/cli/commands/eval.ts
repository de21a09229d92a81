/** `tapestry-peer eval PATH…`: how well a model of this machine predicts text, by file and by language. */
import { type Command, Option } from 'commander';
import type { FileLoss } from '../../trainer/evaluate-files.ts';
import { type CliContext, exitCodes, type Print, printerFor, printJson } from '../cli-context.ts';
import { type Execute, readCount } from '../command-options.ts';
import { addModelOptions, chooseModel, type ModelFlags } from '../model-options.ts';
import { formatTable } from '../ui/format-table.ts';
import { createProgressLine } from '../ui/progress-line.ts';

interface EvalFlags extends ModelFlags {
  readonly by?: 'file' | 'language';
  readonly sequences?: number;
  readonly field: string;
}

/** Loss of a group of documents; null where nothing was predicted. */
export interface GroupLoss {
  readonly name: string;
  readonly documents: number;
  /** of what was predicted */
  readonly bytes: number;
  /** predicted */
  readonly tokens: number;
  readonly natsPerToken: number | null;
  readonly natsPerByte: number | null;
  readonly bitsPerByte: number | null;
  /** per token */
  readonly perplexity: number | null;
}

/** What `eval --json` prints. */
export interface EvalReport {
  /** where the model comes from, for people */
  readonly model: string;
  readonly parameters: number;
  /** most predictions from one context */
  readonly window: number;
  /** not with `--by language` */
  readonly files?: readonly GroupLoss[];
  /** not with `--by file` */
  readonly languages?: readonly GroupLoss[];
  readonly total: GroupLoss;
}

/** Declares the command. */
export function addEvalCommand(program: Command, execute: Execute): void {
  addModelOptions(program.command('eval'))
    .argument('<path...>', 'files and folders of .txt, .md, .jsonl or .parquet')
    .description('how well a model of this machine predicts text: loss, bits per byte, perplexity')
    .addOption(new Option('--by <group>', 'only these groups').choices(['file', 'language']))
    .option('--sequences <number>', 'only so many windows of each file, its first ones', readCount(1, 1e9))
    .option('--field <name>', 'field of .jsonl, column of .parquet', 'text')
    .action((paths: string[], flags: EvalFlags) => execute((context) => runEval(context, paths, flags)));
}

async function runEval(context: CliContext, paths: readonly string[], flags: EvalFlags): Promise<number> {
  const { by, json = false, sequences = Number.POSITIVE_INFINITY } = flags;
  const { listFiles } = await import('../../trainer/data/list-files.ts');
  const files = await listFiles(paths);
  const { model, parameters, tokenizer, from, threads } = await chooseModel(context, flags);
  const { detectScript } = await import('../../trainer/data/detect-script.ts');
  const { TextEvaluator } = await import('../../trainer/evaluate-text.ts');
  const { evaluateFiles } = await import('../../trainer/evaluate-files.ts');
  const evaluator = await TextEvaluator.create(model, parameters, threads);
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const progress = createProgressLine(context.stderr, Date.now);
  const losses = await evaluateFiles({
    ...{ evaluator, tokenizer, files, maxWindows: sequences, textField: flags.field, signal: context.signal },
    detectLanguage: detectScript,
    onProgress: (bytes) => progress.show('reading', bytes, size),
  });
  progress.end();
  const { windowLength: window } = evaluator;
  await evaluator.release();
  const report: EvalReport = {
    ...{ model: from, parameters: parameters.length, window },
    ...(by === 'language' ? {} : { files: groupLosses(losses, (loss) => loss.path) }),
    ...(by === 'file' ? {} : { languages: groupLosses(losses, (loss) => loss.language) }),
    total: sumLosses('total', losses),
  };
  if (json) printJson(context, report);
  else printReport(report, printerFor(context, json));
  return exitCodes.ok;
}

/** Sums of equal names, in the order they came. */
export function groupLosses(losses: readonly FileLoss[], nameOf: (loss: FileLoss) => string): GroupLoss[] {
  return [...Map.groupBy(losses, nameOf)].map(([name, group]) => sumLosses(name, group));
}

function sumLosses(name: string, losses: readonly FileLoss[]): GroupLoss {
  const [documents, bytes, tokens, nats] = (['documents', 'bytes', 'tokens', 'nats'] as const).map((key) =>
    losses.reduce((sum, loss) => sum + loss[key], 0),
  ) as [number, number, number, number];
  const natsPerToken = tokens === 0 ? null : nats / tokens;
  const natsPerByte = tokens === 0 || bytes === 0 ? null : nats / bytes;
  const bitsPerByte = natsPerByte === null ? null : natsPerByte / Math.LN2;
  const perplexity = natsPerToken === null ? null : Math.exp(natsPerToken);
  return { name, documents, bytes, tokens, natsPerToken, natsPerByte, bitsPerByte, perplexity };
}

function printReport({ model, window, files = [], languages = [], total }: EvalReport, print: Print): void {
  print(`${model}, windows of ${window} tokens`);
  const header = ['', 'documents', 'bytes', 'tokens', 'nats/token', 'nats/byte', 'bits/byte', 'perplexity'];
  const rows = [...files, ...languages, total].map((loss) => [
    loss.name,
    ...[loss.documents, loss.bytes, loss.tokens].map(String),
    ...[loss.natsPerToken, loss.natsPerByte, loss.bitsPerByte].map((value) => value?.toFixed(4) ?? '-'),
    loss.perplexity?.toPrecision(5) ?? '-',
  ]);
  const [head, ...lines] = formatTable([header, ...rows]) as [string, ...string[]];
  print(head);
  for (const line of lines.slice(0, files.length)) print(line);
  if (languages.length > 0) print('');
  for (const line of lines.slice(files.length, -1)) print(line);
  print('');
  print(lines.at(-1)!);
}
