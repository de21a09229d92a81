/**
 * One peer of a testnet as a process of its own: `tapestry-peer run --json`, its events, its end.
 * The child watches its stdin and ends when this process is gone, however that happened.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { PeerData, PeerEvent } from '../../peer/peer.ts';
import { formatDevice } from '../../trainer/device.ts';
import type { CliContext } from '../cli-context.ts';
import type { PlannedPeer, TestnetPlan } from './plan-testnet.ts';

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** the last lines that it wrote to stderr */
  readonly lastWords: readonly string[];
}

/** A running process. */
export interface PeerProcess {
  readonly pid: number | undefined;
  readonly ended: Promise<ProcessEnd>;
  /** SIGTERM, and SIGKILL if that does not help within ten seconds. Resolves when it has ended. */
  stop(): Promise<void>;
}

const patienceMs = 10_000;
const keptWords = 20;

/** Starts a peer of the plan that dials `bootstrap` first. */
export function startPeerProcess(
  context: CliContext,
  plan: TestnetPlan,
  peer: PlannedPeer,
  bootstrap: readonly string[],
  onEvent: (event: PeerEvent) => void,
): PeerProcess {
  const child = spawn(process.execPath, [...context.mainArguments, ...describeArguments(plan, peer, bootstrap)], {
    env: context.environment as NodeJS.ProcessEnv,
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C on the terminal reaches this process alone, which then ends the children in order.
    detached: true,
    windowsHide: true,
  });
  const lastWords: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => {
    lastWords.push(line);
    if (lastWords.length > keptWords) lastWords.shift();
  });
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const event = readEvent(line);
    if (event !== null) onEvent(event);
  });
  // Without a listener, a child that dies while it is written to would end this process.
  child.stdin!.on('error', () => {});
  const ended = waitForEnd(child, lastWords);
  return { pid: child.pid, ended, stop: () => stopProcess(child, ended) };
}

function describeArguments(plan: TestnetPlan, peer: PlannedPeer, bootstrap: readonly string[]): string[] {
  return [
    ...['run', '--home', peer.home, '--network', plan.networkId, '--host', '127.0.0.1', '--port', '0'],
    ...['--threads', String(plan.threads), '--until-round', String(plan.rounds)],
    ...['--device', formatDevice(plan.device)],
    ...describeData(peer.data),
    ...(bootstrap.length === 0 ? [] : ['--peers', ...bootstrap]),
    ...['--stay', '--stop-with-stdin', '--json'],
  ];
}

function describeData(data: PeerData): string[] {
  if (data.kind === 'starter') return ['--starter-kind', String(data.kindIndex)];
  return ['--data', ...(data.kind === 'path' ? data.paths : [data.folder])];
}

function readEvent(line: string): PeerEvent | null {
  try {
    const event = JSON.parse(line) as PeerEvent;
    return typeof event.event === 'string' ? event : null;
  } catch {
    return null;
  }
}

function waitForEnd(child: ChildProcess, lastWords: string[]): Promise<ProcessEnd> {
  const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
  child.once('error', (error) => {
    lastWords.push(error.message);
    if (child.pid === undefined) resolve({ code: null, signal: null, lastWords });
  });
  // `close`, not `exit`: only then has everything been read that it wrote.
  child.once('close', (code, signal) => resolve({ code, signal, lastWords }));
  return promise;
}

async function stopProcess(child: ChildProcess, ended: Promise<ProcessEnd>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await ended;
  clearTimeout(timer);
}
