/** `tapestry-peer train`: trains a model on this machine alone, without a network. */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { HomeLock } from '../../peer/storage/home-lock.ts';
import type { ManifestInit } from '../../protocol/create-manifest.ts';
import { fromHex } from '../../protocol/hex.ts';
import { computeInitialBase } from '../../protocol/initial-base.ts';
import type { ManifestTokenizer } from '../../protocol/manifest.ts';
import type { DataSource } from '../../trainer/data/load-data.ts';
import type { TokenizerSource } from '../../trainer/tokenizer/tokenizer.ts';
import type { RunEvent, RunMeasure } from '../../trainer/training-run.ts';
import { chooseData } from '../choose-data.ts';
import { type CliContext, exitCodes, printerFor, printJson } from '../cli-context.ts';
import {
  addRecipeOptions,
  addTrainerOptions,
  configure,
  type Execute,
  type RecipeFlags,
  readCount,
  type TrainerFlags,
} from '../command-options.ts';
import { createRecipe } from '../create-recipe.ts';
import { makeNetworkSeed } from '../network-seed.ts';
import { requireTrainingMemory } from '../require-memory.ts';
import { describeDevice, resolveDevice } from '../resolve-device.ts';
import { type ChartSeries, drawLineChart } from '../ui/line-chart.ts';
import { createProgressLine } from '../ui/progress-line.ts';
import { createTrainView } from '../ui/train-view.ts';

interface TrainFlags extends TrainerFlags, RecipeFlags {
  readonly out: string;
  readonly steps: number;
  readonly every?: number;
  readonly keepLast: number;
  readonly keepEvery?: number;
  readonly field: string;
  readonly seed: string;
}

const curveFile = 'losses.svg';
const mostEvery = 500;
/** Nothing is sent, so nothing is compressed. */
const noCompressor = { chunkLength: 4096, topK: 1, errorFeedback: 0 };

/** Declares the command. */
export function addTrainCommand(program: Command, execute: Execute): void {
  addRecipeOptions(addTrainerOptions(program.command('train')))
    .description('train on this machine alone, without a network; goes on where --out has a checkpoint')
    .requiredOption('--out <folder>', 'checkpoints, losses and their curve go here')
    .option('--steps <number>', 'inner steps in all', readCount(1, 1e9), 2000)
    .option(
      '--every <steps>',
      'checkpoint and measure so often (default: a tenth of all, at most 500)',
      readCount(1, 1e9),
    )
    .option('--keep-last <number>', 'newest checkpoints to keep, beside the best one', readCount(1, 1e6), 3)
    .option('--keep-every <steps>', 'keep one for so many steps (default: for every doubling)', readCount(1, 1e9))
    .option('--field <name>', 'field of .jsonl, column of .parquet', 'text')
    .option('--seed <text>', 'of the first weights and the order of the text', 'alone')
    .action((flags: TrainFlags) => execute((context) => train(context, flags)));
}

async function train(context: CliContext, flags: TrainFlags): Promise<number> {
  const folder = resolve(flags.out);
  const lock = new HomeLock(folder);
  try {
    return await trainIn(folder, context, flags);
  } finally {
    lock.release();
  }
}

async function trainIn(folder: string, context: CliContext, flags: TrainFlags): Promise<number> {
  const { json = false, steps } = flags;
  const print = printerFor(context, json);
  const { runTraining } = await import('../../trainer/training-run.ts');
  const config = await configure(context, flags);
  const start = await readStart(config.home.value, flags);
  const { model, inner } = createRecipe(flags, steps, start.imported);
  const { tokenizer } = start;
  const choice = await resolveDevice(context, config.device.value);
  requireTrainingMemory(context, { model, inner }, choice.device);
  const data = await packText(context, config.data.value, join(folder, 'data'), tokenizer, flags.field);
  print(describeDevice(choice));
  const seed = makeNetworkSeed(flags.seed);
  const view = createTrainView(print, context.stderr, Date.now);
  const { steps: _ofRound, ...recipe } = inner;
  const { batchSize, sequenceLength } = inner;
  const result = await runTraining({
    folder,
    trainer: {
      ...{ model, tokenizer, data, inner, batchSize, sequenceLength, compressor: noCompressor },
      ...{
        threads: config.threads.value,
        device: choice.device,
        spin: true,
        heldOut: { kind: 'starter', kindIndex: null },
      },
    },
    readStart: async () => start.parameters ?? computeInitialBase(model, fromHex(seed)),
    ...{ seed, steps, settings: { model, recipe, tokenizer: start.hash, start: start.from, data: config.data.value } },
    every: flags.every ?? Math.max(1, Math.min(mostEvery, Math.ceil(steps / 10))),
    keep: { last: flags.keepLast, every: flags.keepEvery ?? 'doubling' },
    signal: context.signal,
    onEvent: (event) => (json ? reportEvent(context, event) : view.show(event)),
  }).finally(view.end);
  const curve = join(folder, curveFile);
  await writeFile(curve, drawLosses(result.measures));
  const last = result.measures.at(-1)!;
  if (json) printJson(context, { event: 'run.done', ...last, checkpoint: result.checkpoint, curve });
  print(`checkpoint  ${result.checkpoint}`);
  print(`curve       ${curve}`);
  return exitCodes.ok;
}

/** What a run starts from. */
interface Start {
  /** null: the first weights come from the seed */
  readonly parameters: Float32Array | null;
  readonly imported: Pick<ManifestInit, 'model' | 'tokenizer'>;
  readonly tokenizer: TokenizerSource;
  /** root of the tokenizer's file; null for bytes */
  readonly hash: string | null;
  readonly from: string;
}

async function readStart(home: string, { model: name }: TrainFlags): Promise<Start> {
  if (name === undefined) {
    return { parameters: null, imported: {}, tokenizer: { kind: 'bytes' }, hash: null, from: 'seed' };
  }
  const { loadModel } = await import('../../peer/load-model.ts');
  const { loadTokenizer } = await import('../../trainer/tokenizer/tokenizer.ts');
  const { model, parameters, tokenizer, from } = await loadModel({ home, model: name });
  const { hash } = await loadTokenizer(tokenizer);
  return { parameters, imported: { model, tokenizer: describeTokenizer(hash) }, tokenizer, hash, from };
}

function describeTokenizer(hash: string | null): ManifestTokenizer {
  return hash === null ? { kind: 'bytes' } : { kind: 'huggingface', hash };
}

/** The text as it is trained on: packed into the run's folder unless it is packed already or the starter corpus. */
async function packText(
  context: CliContext,
  paths: readonly string[],
  folder: string,
  tokenizer: TokenizerSource,
  textField: string,
): Promise<DataSource> {
  if (paths.length === 0) return { kind: 'starter', kindIndex: null };
  const data = await chooseData(paths, 0);
  if (data.kind !== 'path') return data;
  const { packData } = await import('../../trainer/data/pack-data.ts');
  const progress = createProgressLine(context.stderr, Date.now);
  await packData({
    ...{ paths: data.paths, folder, tokenizer, textField, signal: context.signal },
    onNotice: (line) => void context.stderr.write(`${line}\n`),
    onProgress: (phase, done, of) => progress.show(phase === 'hash' ? 'hashing' : 'packing', done, of),
  }).finally(progress.end);
  return { kind: 'pack', folder };
}

/** Programs get every measure; steps in between are for people's eyes. */
function reportEvent(context: CliContext, event: RunEvent): void {
  if (event.event !== 'training.progressed') printJson(context, event);
}

function drawLosses(measures: readonly RunMeasure[]): string {
  const line = (name: string, of: 'trainingLoss' | 'validationLoss'): ChartSeries => ({
    name,
    points: measures.flatMap((measure) => (measure[of] === null ? [] : [[measure.step, measure[of]] as const])),
  });
  return drawLineChart({
    title: 'Loss',
    xLabel: 'inner steps',
    yLabel: 'nats a byte',
    series: [line('training', 'trainingLoss'), line('validation', 'validationLoss')],
  });
}
