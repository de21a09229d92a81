/**
 * The benchmark of training on a GPU: speed against PyTorch, agreement with the CPU, repeatability, residency, placement.
 * Started by cuda.sh; results go to benchmarks/results/cuda.jsonl as JSON lines. Every measurement runs in a process of
 * its own, because whether TF32 is used is read from the environment once, and because memory is only given back so.
 *
 *   node benchmarks/cuda-bench.ts [--dry-run] [--only 10M] [--device cuda:0]
 */
import { execFile } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { parseGpus } from '../src/cli/gpu/gpu-report.ts';
import { createGpuSources } from '../src/cli/gpu/gpu-sources.ts';
import { computeModelLayout } from '../src/protocol/model.ts';
import { type Device, formatDevice, parseDevice } from '../src/trainer/device.ts';
import { probeCuda } from '../src/trainer/probe-cuda.ts';
import { runtimePackage } from '../src/trainer/runtime-package.ts';
import { benchShapes } from './bench-shapes.ts';
import { readPlacements } from './cuda-placement.ts';

const parts = ['placement', 'speed', 'residency', 'agreement', 'repeat'] as const;
type Part = (typeof parts)[number];
type BatchName = 'small' | 'large';

/** One measurement, as its process is told of it. */
interface Job {
  readonly part: Part;
  readonly model: string;
  readonly batch: BatchName;
  readonly device: string;
  readonly tf32: boolean;
}

const run = promisify(execFile);
const entry = fileURLToPath(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));
const results = join(root, 'benchmarks/results');
const patienceMs = 3_600_000;

const { values } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    only: { type: 'string' },
    device: { type: 'string', default: 'cuda:0' },
    job: { type: 'string' },
  },
});

if (values.job !== undefined) {
  await runJob(JSON.parse(values.job) as Job);
} else {
  process.exitCode = await runAll(values['dry-run']);
}

/** Everything, one job after the other. Returns the exit code. */
async function runAll(dryRun: boolean): Promise<number> {
  const device = dryRun ? 'cpu' : values.device;
  const names = values.only === undefined ? ['1M', '10M', '30M', '124M'] : [values.only];
  const models = dryRun ? ['tiny'] : names;
  const unknown = models.find((name) => !Object.hasOwn(benchShapes, name));
  if (unknown !== undefined) {
    process.stderr.write(`--only ${unknown}: expected one of ${Object.keys(benchShapes).join(', ')}\n`);
    return 2;
  }
  // A dry run leaves nothing that could be taken for a result.
  const file = dryRun ? join(tmpdir(), 'tapestry-cuda-dry-run.jsonl') : join(results, 'cuda.jsonl');
  mkdirSync(results, { recursive: true });
  writeFileSync(file, '');
  const write = (line: Record<string, unknown>): void => {
    appendFileSync(file, `${JSON.stringify(line)}\n`);
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  const wish = parseDevice(device);
  const probe = await probeCuda(wish.kind === 'cuda' ? wish.index : 0);
  const gpus = parseGpus((await createGpuSources(process.env, probe).queryGpus()) ?? '');
  const problem = probe.problem?.message ?? null;
  const cpu = cpus()[0]?.model;
  write({ part: 'machine', dryRun, cpu, gpus, problem, node: process.version, onnxruntime: runtimePackage.version });
  if (!dryRun && probe.problem !== null) {
    process.stderr.write(`${probe.problem.message}\n${probe.problem.remedy}\n`);
    return 1;
  }
  const lines: Record<string, unknown>[] = [];
  for (const model of models) {
    for (const job of planModel(model, device)) {
      const line = await startJob(job);
      lines.push(line);
      write(line);
    }
    for (const line of await measurePytorch(model, device)) write(line);
  }
  const failed = lines.filter((line) => line.error !== undefined || line.agrees === false || line.identical === false);
  // Two processes gave a hash of the same steps each: they are one more test of repeatability.
  for (const line of compareHashes(lines)) {
    write(line);
    if (line.identical === false) failed.push(line);
  }
  process.stdout.write(
    `${file}: ${failed.length === 0 ? 'all as expected' : `${failed.length} lines are not as expected`}\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** The jobs of one model. The CPU trains along where it is compared with, so large models are compared only briefly. */
function planModel(model: string, device: string): Job[] {
  const job = (part: Part, batch: BatchName, tf32: boolean): Job => ({ part, model, batch, device, tf32 });
  return [
    job('placement', 'small', true),
    ...([true, false] as const).flatMap((tf32) => [
      job('speed', 'small', tf32),
      job('speed', 'large', tf32),
      ...(model === '124M' || model === '30M' ? [] : [job('agreement', 'small', tf32)]),
      job('repeat', 'small', tf32),
      job('repeat', 'small', tf32),
    ]),
    job('residency', 'small', true),
  ];
}

async function startJob(job: Job): Promise<Record<string, unknown>> {
  const environment = { ...process.env };
  delete environment.NVIDIA_TF32_OVERRIDE;
  if (!job.tf32) environment.NVIDIA_TF32_OVERRIDE = '0';
  const { batchSize, sequenceLength } = benchShapes[job.model]!.batches[job.batch];
  const { length: parameters } = computeModelLayout(benchShapes[job.model]!.model);
  const facts = { ...job, engine: 'onnxruntime', parameters, batchSize, sequenceLength };
  try {
    const options = { env: environment, timeout: patienceMs, maxBuffer: 256 * 1024 * 1024 };
    const { stdout, stderr } = await run(process.execPath, [entry, '--job', JSON.stringify(job)], options);
    const measured = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
    return { ...facts, ...measured, ...(job.part === 'placement' ? { placements: readPlacements(stderr) } : {}) };
  } catch (error) {
    // A batch that does not fit is a result as well, and no reason not to measure the others.
    return { ...facts, error: String((error as Error).message).slice(-500) };
  }
}

/** In a process of its own: one measurement, printed as the last line. */
async function runJob({ part, model, batch, device, tf32 }: Job): Promise<void> {
  if (part === 'placement') {
    await import('../src/trainer/disable-telemetry.ts');
    (await import('onnxruntime-node')).env.logLevel = 'verbose';
  }
  const measure = await import('./cuda-parts.ts');
  const shape = benchShapes[model]!;
  const init = { shape, batch: shape.batches[batch], device: parseDevice(device) as Device };
  const measured =
    part === 'placement'
      ? await measure.measurePlacement(init)
      : part === 'speed'
        ? await measure.measureSpeed(init)
        : part === 'residency'
          ? await measure.measureResidency(init)
          : part === 'agreement'
            ? await measure.measureAgreement(init, tf32)
            : await measure.measureRepeat(init);
  process.stdout.write(`\n${JSON.stringify({ ...measured, device: formatDevice(init.device) })}\n`);
}

/** The same shapes in PyTorch, eager and compiled; where there is no PyTorch, one line that says so. */
async function measurePytorch(model: string, device: string): Promise<Record<string, unknown>[]> {
  const python = process.env.TAPESTRY_PYTHON ?? 'python3';
  const script = join(root, 'benchmarks/llama_reference.py');
  const shape = benchShapes[model]!;
  const request = {
    name: model,
    model: shape.model,
    batches: shape.batches,
    device: device.replace(/^cuda.*/, 'cuda'),
  };
  try {
    const options = { timeout: patienceMs, maxBuffer: 64 * 1024 * 1024 };
    const { stdout } = await run(python, [script, JSON.stringify(request)], options);
    const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  } catch (error) {
    return [{ part: 'speed', engine: 'pytorch', model, skipped: String((error as Error).message).slice(-300) }];
  }
}

function compareHashes(lines: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  const repeats = lines.filter((line) => line.part === 'repeat' && line.hash !== undefined);
  const groups = Map.groupBy(repeats, ({ model, tf32 }) => `${model} ${tf32}`);
  return [...groups.values()].map((group) => {
    const { model, tf32, device } = group[0]!;
    const identical = group.every(({ hash }) => hash === group[0]!.hash);
    return { part: 'repeat-over-processes', model, tf32, device, processes: group.length, identical };
  });
}
