/**
 * `npm run bench:trainer`: how fast training steps are, as a share of what the same runtime's matrix product reaches in the
 * same seconds, and what memory they take. Every size runs in a process of its own, so that peaks are its own.
 *
 *   --only 10M     one size            --threads 2   cores to use (all)
 *   --rounds 7     measured pairs      --compare     also each choice of the plan undone: the time of a step over that of
 *                                                  the plan, in turn in one process, and the memory of it alone
 *   --json         one document on stdout            --save FILE   append it as one JSON line
 */
import { fork } from 'node:child_process';
import { appendFile, mkdir } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { TrainingPlan } from '../src/trainer/training-plan.ts';
import { benchShapes } from './bench-shapes.ts';
import type { TrainerMeasure, TrainerMeasureInit } from './measure-trainer.ts';

const sizes = ['1M', '10M', '30M', '124M'];
/** What `--compare` undoes: the plan as it would be without that choice. */
const variants: Readonly<Record<string, Partial<TrainingPlan>>> = {
  'one micro-batch': { microBatches: 1 },
  'four micro-batches': { microBatches: 4 },
  'attention in one block': { attentionBlocks: 1 },
  'steps in a Loop': { loop: true },
};

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    threads: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '7' },
    compare: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    save: { type: 'string' },
  },
});
if (flags.only !== undefined && benchShapes[flags.only] === undefined) {
  process.stderr.write(
    `bench:trainer: there is no size "${flags.only}"
Choose one of ${Object.keys(benchShapes).join(', ')}.
`,
  );
  process.exit(2);
}

const print = (line: string): void => void (flags.json ? process.stderr : process.stdout).write(`${line}\n`);
const threads = Number(flags.threads);
const runs: (TrainerMeasure & { size: string })[] = [];
const comparisons: { size: string; variant: string; timeRatio: number; peakRssBytes: number }[] = [];
const rounds = Number(flags.rounds);
print(
  `${cpus()[0]!.model.trim()}, ${threads} threads. Share: of the fastest matrix product measured beside the steps.`,
);
print('    size  parameters  tokens/step  ms/step  tokens/s  GFLOP/s    peak   share  peak RSS  estimate');
for (const size of flags.only === undefined ? sizes : [flags.only]) {
  const run = await measureApart({ size, threads, rounds, plan: {} });
  runs.push({ size, ...run });
  print(describeRun(size, run));
  for (const [variant, versus] of flags.compare ? Object.entries(variants) : []) {
    const { versusRatio } = await measureApart({ size, threads, rounds, plan: {}, versus });
    const { peakRssBytes } = await measureApart({ size, threads, rounds: 2, plan: versus });
    comparisons.push({ size, variant, timeRatio: versusRatio!, peakRssBytes });
    print(`${' '.repeat(10)}${variant}: ${versusRatio!.toFixed(3)} of the time, ${(peakRssBytes / 1e6).toFixed(0)} MB`);
  }
}
const document = {
  command: `npm run bench:trainer -- ${process.argv.slice(2).join(' ')}`.trim(),
  processor: cpus()[0]!.model.trim(),
  threads,
  runs,
  ...(flags.compare ? { comparisons } : {}),
};
if (flags.json) process.stdout.write(`${JSON.stringify(document)}\n`);
if (flags.save !== undefined) {
  await mkdir(dirname(flags.save), { recursive: true });
  await appendFile(flags.save, `${JSON.stringify(document)}\n`);
}

function measureApart(init: TrainerMeasureInit): Promise<TrainerMeasure> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./measure-trainer.ts', import.meta.url)), [JSON.stringify(init)]);
    let result: TrainerMeasure | null = null;
    child.on('message', (message) => {
      result = message as TrainerMeasure;
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (result === null) reject(new Error(`the measurement of ${init.size} ended with code ${code}`));
      else resolve(result);
    });
  });
}

function describeRun(size: string, run: TrainerMeasure): string {
  const cells: [text: string, width: number][] = [
    [size, 8],
    [String(run.parameters), 11],
    [String(run.tokensPerStep), 12],
    [run.msPerStep.toFixed(0), 8],
    [run.tokensPerSecond.toFixed(0), 9],
    [run.gigaflopsPerSecond.toFixed(0), 8],
    [run.gemmPeakGigaflops.toFixed(0), 7],
    [`${(100 * run.gemmPeakShare).toFixed(1)} %`, 7],
    [`${(run.peakRssBytes / 1e6).toFixed(0)} MB`, 9],
    [`${(run.estimatedBytes / 1e6).toFixed(0)} MB`, 9],
  ];
  return cells.map(([text, width]) => text.padStart(width)).join(' ');
}
