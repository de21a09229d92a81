/**
 * Text larger than memory: makes a text file of 2 GB, packs it, trains on it, and prints what that takes beyond what a
 * tiny file takes; then kills a packing with SIGKILL and goes on with it, and changes the file. Prints a table and one
 * line of JSON. A few minutes, and three times the size of the file on the disk. Linux: peaks are read from /proc.
 *
 *     node scripts/suite-large-data.ts [--bytes 2000000000] [--folder DIR] [--seed 1]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { mkdtemp, open, readdir, rm, utimes } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/ui/format-table.ts';
import { computeInitialBase } from '../src/protocol/initial-base.ts';
import { presets } from '../src/protocol/presets.ts';
import { computeBatch } from '../src/trainer/data/compute-batch.ts';
import { openPack } from '../src/trainer/data/open-pack.ts';
import { packData } from '../src/trainer/data/pack-data.ts';
import { createTrainer } from '../src/trainer/trainer.ts';
import { writeVector } from '../src/trainer/vector-file.ts';

const { values } = parseArgs({
  options: {
    bytes: { type: 'string', default: '2000000000' },
    folder: { type: 'string' },
    seed: { type: 'string', default: '1' },
    /** what a child does: `pack` or `train` */
    child: { type: 'string' },
    text: { type: 'string' },
    pack: { type: 'string' },
  },
});

/** What a child tells at its end, in bytes and milliseconds. */
interface ChildReport {
  readonly peakBytes: number;
  readonly ms: number;
  readonly outcome?: string;
  readonly notices?: readonly string[];
  readonly losses?: readonly number[];
}

/** What a child tells while it packs. */
interface ChildProgress {
  readonly phase: string;
  readonly done: number;
}

const preset = presets.micro;
const trainedSteps = 20;

/** Most memory a process ever had, in bytes. */
function readPeak(pid: number | 'self'): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}

async function runPackChild(text: string, pack: string): Promise<void> {
  const started = performance.now();
  const notices: string[] = [];
  const { outcome } = await packData({
    paths: [text],
    folder: pack,
    tokenizer: { kind: 'bytes' },
    onNotice: (line) => notices.push(line),
    onProgress: (phase, done) => process.send!({ phase, done } satisfies ChildProgress),
  });
  const report = { peakBytes: readPeak('self'), ms: performance.now() - started, outcome, notices };
  process.send!(report satisfies ChildReport);
}

async function runTrainChild(pack: string): Promise<void> {
  const started = performance.now();
  const { model, batchSize, sequenceLength, learningRate, warmupSteps, topK } = preset;
  const folder = await mkdtemp(join(tmpdir(), 'tapestry-large-train-'));
  const basePath = join(folder, 'base');
  await writeVector(basePath, computeInitialBase(model, new Uint8Array(32)));
  const inner = {
    ...{ learningRate, warmupSteps, decaySteps: 1000, minLearningRateShare: 0.1, beta1: 0.9, beta2: 0.95 },
    ...{ epsilon: 1e-8, weightDecay: 0.1, clipNorm: 1 },
  };
  const trainer = createTrainer({
    ...{ model, batchSize, sequenceLength, inner, threads: availableParallelism() },
    tokenizer: { kind: 'bytes' },
    device: { kind: 'cpu' },
    compressor: { chunkLength: 4096, topK, errorFeedback: 0.95 },
    data: { kind: 'pack', folder: pack },
    heldOut: { kind: 'starter', kindIndex: 0 },
  });
  const { losses } = await trainer.train({
    ...{ round: 1, innerSteps: trainedSteps, firstStep: 0, basePath, outputDirectory: folder },
    ...{ momentsPath: null, errorFeedbackPath: null, includedBodyPath: null, dataSeed: new Uint8Array(32) },
  });
  await trainer.evaluate(basePath, { heldOut: 'own' });
  const peakBytes = readPeak(trainer.pid!);
  await trainer.stop();
  await rm(folder, { recursive: true });
  process.send!({ peakBytes, ms: performance.now() - started, losses } satisfies ChildReport);
}

/** Starts this script as a child; its report, or null when it was killed. */
async function runChild(
  args: readonly string[],
  onProgress: (progress: ChildProgress, child: ChildProcess) => void = () => {},
): Promise<ChildReport | null> {
  const child = fork(fileURLToPath(import.meta.url), args);
  let report: ChildReport | null = null;
  child.on('message', (message: ChildReport | ChildProgress) => {
    if ('phase' in message) onProgress(message, child);
    else report = message;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(`${args.join(' ')} ended with ${code ?? signal}`);
  return report;
}

const runPack = (
  text: string,
  pack: string,
  onProgress?: Parameters<typeof runChild>[1],
): Promise<ChildReport | null> => runChild(['--child', 'pack', '--text', text, '--pack', pack], onProgress);

/** Repeatable text of pseudo-random words, sentences and paragraphs. */
async function makeText(path: string, bytes: number, seed: number): Promise<void> {
  let state = seed >>> 0;
  const draw = (count: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
  const words = Array.from({ length: 20_000 }, () => {
    return Array.from({ length: 2 + draw(10) }, () => String.fromCharCode(97 + draw(26))).join('');
  });
  const file = await open(path, 'w');
  try {
    for (let written = 0; written < bytes; ) {
      const parts: string[] = [];
      for (let size = 0; size < 2 ** 22; size += parts.at(-1)!.length) {
        const word = words[Math.floor(draw(20_000) ** 2 / 20_000)]!;
        parts.push(draw(12) > 0 ? `${word} ` : draw(6) > 0 ? `${word}. ` : `${word}.\n`);
      }
      const text = Buffer.from(parts.join('')).subarray(0, bytes - written);
      await file.writeFile(text);
      written += text.length;
    }
  } finally {
    await file.close();
  }
}

/** One hash over the names and bytes of all files of a pack. */
async function hashFolder(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(folder)).sort()) {
    hash.update(name);
    for await (const chunk of createReadStream(join(folder, name))) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

/** Changes one byte in the middle; the size stays. */
async function changeByte(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.from('#'), 0, 1, at);
  await file.close();
}

/** Mean microseconds of a batch, and of the slowest of a hundred. */
async function measureBatches(pack: string): Promise<{ meanUs: number; p99Us: number }> {
  const { training, close } = await openPack(pack);
  const seed = new Uint8Array(32).fill(7);
  const times: number[] = [];
  for (let step = 0; step < 5000; step++) {
    const started = performance.now();
    computeBatch(training, seed, step, preset);
    times.push((performance.now() - started) * 1000);
  }
  await close();
  times.sort((a, b) => a - b);
  return { meanUs: times.reduce((sum, time) => sum + time, 0) / times.length, p99Us: times[4950]! };
}

async function runSuite(): Promise<void> {
  const bytes = Number(values.bytes);
  const folder = await mkdtemp(join(values.folder ?? tmpdir(), 'tapestry-large-'));
  const at = (name: string): string => join(folder, name);
  try {
    console.error(`making ${bytes} bytes of text`);
    await makeText(at('large.txt'), bytes, Number(values.seed));
    await makeText(at('tiny.txt'), 200_000, Number(values.seed));
    const tinyPack = (await runPack(at('tiny.txt'), at('tiny')))!;
    const tinyTrain = (await runChild(['--child', 'train', '--pack', at('tiny')]))!;
    console.error('packing');
    const largePack = (await runPack(at('large.txt'), at('large')))!;
    console.error('training');
    const largeTrain = (await runChild(['--child', 'train', '--pack', at('large')]))!;
    const batches = await measureBatches(at('large'));

    console.error('packing again, killed on the way');
    let killedAt = 0;
    await runPack(at('large.txt'), at('killed'), ({ phase, done }, child) => {
      if (phase === 'pack' && done > bytes * 0.6 && killedAt === 0) {
        killedAt = done;
        child.kill('SIGKILL');
      }
    });
    let resumedAt: number | null = null;
    const resumed = (await runPack(at('large.txt'), at('killed'), ({ phase, done }) => {
      if (phase === 'pack') resumedAt ??= done;
    }))!;
    const sameBytes = (await hashFolder(at('large'))) === (await hashFolder(at('killed')));
    await rm(at('killed'), { recursive: true });

    console.error('touching and changing the file');
    await utimes(at('large.txt'), 1, 1);
    const touched = (await runPack(at('large.txt'), at('large')))!;
    await changeByte(at('large.txt'), Math.floor(bytes / 2));
    const changed = (await runPack(at('large.txt'), at('large')))!;
    const reused = (await runPack(at('large.txt'), at('large')))!;

    const result = {
      suite: 'large-data',
      ...{ bytes, seed: Number(values.seed), preset: 'micro', trainedSteps },
      machine: { cpu: cpus()[0]?.model.trim(), cores: availableParallelism(), node: process.version },
      pack: { ms: largePack.ms, peakBytes: largePack.peakBytes, extraBytes: largePack.peakBytes - tinyPack.peakBytes },
      train: {
        ...{
          ms: largeTrain.ms,
          peakBytes: largeTrain.peakBytes,
          extraBytes: largeTrain.peakBytes - tinyTrain.peakBytes,
        },
        ...{ firstLoss: largeTrain.losses![0], lastLoss: largeTrain.losses!.at(-1) },
      },
      batch: { shape: `${preset.batchSize} × ${preset.sequenceLength + 1}`, ...batches },
      killed: { atBytes: killedAt, resumedAtBytes: resumedAt, outcome: resumed.outcome, ms: resumed.ms, sameBytes },
      touched: { outcome: touched.outcome, ms: touched.ms },
      changed: { outcome: changed.outcome, notices: changed.notices?.map((line) => line.replaceAll(folder, '')) },
      reused: { outcome: reused.outcome, ms: reused.ms },
    };
    const mega = (value: number): string => `${(value / 1e6).toFixed(0)} MB`;
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
    const rows = [
      ['step', 'result', 'time', 'peak memory', 'more than for 0.2 MB'],
      ['pack', largePack.outcome!, seconds(largePack.ms), mega(largePack.peakBytes), mega(result.pack.extraBytes)],
      [
        ...[
          `train ${trainedSteps} steps`,
          `loss ${result.train.firstLoss!.toFixed(2)} to ${result.train.lastLoss!.toFixed(2)}`,
        ],
        ...[seconds(largeTrain.ms), mega(largeTrain.peakBytes), mega(result.train.extraBytes)],
      ],
      [`a batch of ${result.batch.shape}`, 'mean', `${batches.meanUs.toFixed(0)} µs`, '', ''],
      ['', '99 of 100 within', `${batches.p99Us.toFixed(0)} µs`, '', ''],
      [`killed at ${mega(killedAt)}`, `${resumed.outcome} at ${mega(resumedAt ?? 0)}`, seconds(resumed.ms), '', ''],
      ['', sameBytes ? 'the same bytes' : 'OTHER BYTES', '', '', ''],
      ['touched', touched.outcome!, seconds(touched.ms), '', ''],
      ['a byte changed', changed.outcome!, seconds(changed.ms), '', ''],
      ['unchanged', reused.outcome!, seconds(reused.ms), '', ''],
    ];
    for (const line of formatTable(rows)) console.log(line);
    console.log(JSON.stringify(result));
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (values.child === 'pack') await runPackChild(values.text!, values.pack!);
else if (values.child === 'train') await runTrainChild(values.pack!);
else await runSuite();
