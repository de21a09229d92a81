/**
 * `tapestry-peer data check PATH…` says how a tokenizer covers text; `tapestry-peer data pack PATH… --out DIR` packs it
 * for `--data`. Nothing leaves the machine.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { HomeLock } from '../../peer/storage/home-lock.ts';
import { TapestryError } from '../../protocol/errors.ts';
import type { DataMeasure } from '../../trainer/data/measure-data.ts';
import type { PackReport } from '../../trainer/data/pack-data.ts';
import type { TextCounts } from '../../trainer/data/text-counts.ts';
import type { Tokenizer, TokenizerSource } from '../../trainer/tokenizer/tokenizer.ts';
import { type CliContext, exitCodes, type Print, printerFor, printJson } from '../cli-context.ts';
import type { Execute } from '../command-options.ts';
import { formatBytes, formatShare } from '../ui/format.ts';
import { formatTable } from '../ui/format-table.ts';
import { createProgressLine } from '../ui/progress-line.ts';

interface DataFlags {
  readonly tokenizer?: string;
  readonly field: string;
  readonly json?: boolean;
}

interface PackFlags extends DataFlags {
  readonly out: string;
}

/** Declares both commands. */
export function addDataCommand(program: Command, execute: Execute): void {
  const data = program.command('data').description('look at training text, or pack it in advance');
  addDataOptions(data.command('check'))
    .description('documents, tokens and unknowns of every file and script, and the size of the validation part')
    .action((paths: string[], flags: DataFlags) => execute((context) => checkData(context, paths, flags)));
  addDataOptions(data.command('pack'))
    .description('turn text into token shards once; give the folder to --data afterwards')
    .requiredOption('--out <folder>', 'where the shards go; an interrupted packing there is gone on with')
    .action((paths: string[], flags: PackFlags) => execute((context) => packText(context, paths, flags)));
}

function addDataOptions(command: Command): Command {
  return command
    .argument('<path...>', 'files and folders of .txt, .md, .jsonl or .parquet')
    .option('--tokenizer <file>', 'a tokenizer.json (default: bytes)')
    .option('--field <name>', 'field of .jsonl, column of .parquet', 'text')
    .option('--json', 'print JSON on stdout; text for people goes to stderr');
}

async function checkData(context: CliContext, paths: readonly string[], flags: DataFlags): Promise<number> {
  const { listFiles } = await import('../../trainer/data/list-files.ts');
  const { measureData } = await import('../../trainer/data/measure-data.ts');
  const { loadTokenizer } = await import('../../trainer/tokenizer/tokenizer.ts');
  const files = await listFiles(paths.map((path) => resolve(path)));
  const tokenizer = await loadTokenizer(readTokenizerFlag(flags));
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const progress = createProgressLine(context.stderr, Date.now);
  const measure = await measureData({
    ...{ files, tokenizer, textField: flags.field, signal: context.signal },
    onProgress: (bytes) => progress.show('reading', bytes, size),
  });
  progress.end();
  const { kind, hash, vocabSize, separator, unknown } = tokenizer;
  if (flags.json) printJson(context, describeMeasure({ kind, hash, vocabSize, separator, unknown }, measure));
  else printMeasure(tokenizer, measure, printerFor(context, false));
  return exitCodes.ok;
}

async function packText(context: CliContext, paths: readonly string[], flags: PackFlags): Promise<number> {
  const { packData, requirePackFolder } = await import('../../trainer/data/pack-data.ts');
  const print = printerFor(context, flags.json ?? false);
  const folder = resolve(flags.out);
  await requirePackFolder(folder);
  const lock = lockFolder(folder);
  const progress = createProgressLine(context.stderr, Date.now);
  try {
    const report = await packData({
      paths: paths.map((path) => resolve(path)),
      folder,
      tokenizer: readTokenizerFlag(flags),
      textField: flags.field,
      onNotice: print,
      onProgress: (phase, done, of) => progress.show(phase === 'hash' ? 'hashing' : 'packing', done, of),
      signal: context.signal,
    });
    progress.end();
    const summary = await summarisePack(report);
    if (flags.json) printJson(context, summary);
    else printPack(summary, print);
    return exitCodes.ok;
  } finally {
    progress.end();
    lock.release();
  }
}

function readTokenizerFlag({ tokenizer }: DataFlags): TokenizerSource {
  return tokenizer === undefined ? { kind: 'bytes' } : { kind: 'huggingface', path: resolve(tokenizer) };
}

/** Two packers in one folder would write over each other. */
function lockFolder(folder: string): HomeLock {
  try {
    return new HomeLock(folder);
  } catch (error) {
    if (!(error instanceof TapestryError) || error.code !== 'home-locked') throw error;
    throw new TapestryError(
      'pack-locked',
      `Another process is packing into ${folder}.`,
      'Wait for it, or choose another folder with --out.',
      { folder },
      error,
    );
  }
}

/** What `data pack --json` prints. */
export interface PackSummary {
  readonly folder: string;
  readonly outcome: PackReport['outcome'];
  readonly tokenizer: PackReport['record']['tokenizer'];
  readonly documents: number;
  /** `length`: tokens with separators, as they are trained on */
  readonly training: TextCounts & { readonly length: number };
  readonly validation: TextCounts & { readonly length: number };
}

async function summarisePack({ folder, outcome, record }: PackReport): Promise<PackSummary> {
  const { sumSide } = await import('../../trainer/data/pack-record.ts');
  const { tokenizer, documents, length } = record;
  const [training, validation] = (['training', 'validation'] as const).map((side) => {
    return { length: length[side], ...sumSide(record, side) };
  });
  return { folder, outcome, tokenizer, documents, training: training!, validation: validation! };
}

function printPack({ folder, outcome, documents, training, validation }: PackSummary, print: Print): void {
  const verb = outcome === 'reused' ? 'Nothing has changed' : outcome === 'resumed' ? 'Went on and packed' : 'Packed';
  print(`${verb}: ${documents} documents, ${training.length + validation.length} tokens in ${folder}`);
  print(
    `${training.length} to train on, ${validation.length} (${formatShare(shareOf(training, validation))}) to validate`,
  );
}

/** What `data check --json` prints. */
export interface DataCheck extends DataMeasure {
  readonly tokenizer: Pick<Tokenizer, 'kind' | 'hash' | 'vocabSize' | 'separator' | 'unknown'>;
}

function describeMeasure(tokenizer: DataCheck['tokenizer'], measure: DataMeasure): unknown {
  const withRatio = <T extends TextCounts>(counts: T): T & { readonly tokensPerCharacter: number | null } => {
    return { ...counts, tokensPerCharacter: divide(counts.tokens, counts.characters) };
  };
  return {
    tokenizer,
    files: measure.files.map(withRatio),
    languages: measure.languages.map(withRatio),
    training: withRatio(measure.training),
    validation: withRatio(measure.validation),
  };
}

function printMeasure({ kind, vocabSize }: Tokenizer, measure: DataMeasure, print: Print): void {
  const { files, languages, training, validation } = measure;
  print(`tokenizer ${kind}, ${vocabSize} tokens`);
  const title = ['documents', 'bytes', 'characters', 'tokens', 'tokens/char', 'unknown'];
  const cells = (counts: TextCounts & { readonly documents?: number }): string[] => [
    counts.documents === undefined ? '' : String(counts.documents),
    ...[counts.bytes, counts.characters, counts.tokens].map(String),
    divide(counts.tokens, counts.characters)?.toFixed(3) ?? '-',
    String(counts.unknowns),
  ];
  const lines = formatTable([
    ['file', ...title, 'scripts'],
    ...files.map((file) => [file.path, ...cells(file), describeScripts(file.scripts)]),
    ['script', ...title, 'share'],
    ...languages.map((language) => [language.script, ...cells(language), formatShare(language.share)]),
    ['part', ...title, 'share'],
    ['training', ...cells(training), formatShare(1 - shareOf(training, validation))],
    ['validation', ...cells(validation), formatShare(shareOf(training, validation))],
  ]);
  for (const [index, line] of lines.entries()) {
    if (index === files.length + 1 || index === files.length + languages.length + 2) print('');
    print(line);
  }
  print(`All files hold ${formatBytes(training.bytes + validation.bytes)} of text.`);
}

function describeScripts(scripts: Readonly<Record<string, number>>): string {
  const letters = Object.entries(scripts).filter(([name]) => name !== 'Common');
  const all = letters.reduce((sum, [, count]) => sum + count, 0);
  const named = letters.slice(0, 3).map(([name, count]) => `${name} ${formatShare(count / all)}`);
  return named.join(', ');
}

function shareOf(training: TextCounts, validation: TextCounts): number {
  return divide(validation.bytes, training.bytes + validation.bytes) ?? 0;
}

function divide(value: number, by: number): number | null {
  return by === 0 ? null : value / by;
}
