/**
 * Runs the main job with a fixed seed and the comparison with training alone, and appends what it measured to
 * `testnet/results/main-job.jsonl`: the source of the numbers in the README. About seven minutes on two cores.
 *
 *     npm run suite:main-job [-- --seed 1]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' } } });
const args = ['testnet', 'up', '--seed', values.seed, '--compare-solo', '--json'];
const launcher = new URL('../bin/tapestry-peer.js', import.meta.url).pathname;
const startedAt = performance.now();
const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
let output = '';
child.stdout.on('data', (text: Buffer) => {
  output += text.toString();
});
const [code] = await once(child, 'close');
if (code !== 0) {
  throw new Error(`The run ended with ${code}.`);
}
const { dir: _dir, peers, ...document } = JSON.parse(output.trimEnd().split('\n').at(-1)!);
const result = {
  command: `tapestry-peer ${args.join(' ')}`,
  wallSeconds: Math.round((performance.now() - startedAt) / 1000),
  machine: { cpu: cpus()[0]?.model.trim(), cores: availableParallelism(), node: process.version },
  ...document,
  // Folders are this machine's business.
  peers: peers.map(({ home: _home, ...peer }: Record<string, unknown>) => peer),
};
const folder = new URL('../testnet/results/', import.meta.url);
await mkdir(folder, { recursive: true });
await appendFile(new URL('main-job.jsonl', folder), `${JSON.stringify(result)}\n`);
