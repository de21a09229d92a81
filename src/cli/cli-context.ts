/** What every command works with: where text goes, what ends it, and the layers below. Nothing here is global. */
import { availableParallelism } from 'node:os';
import type { Writable } from 'node:stream';
import type { Manifest } from '../protocol/manifest.ts';
import type { PeerModules } from './peer-modules.ts';

/** A stream that text is printed to; a terminal says so and knows its size. */
export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** Exit codes of every command. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, disagree: 3, interrupted: 130, terminated: 143 } as const;

/** The surroundings of one run of the command line. */
export interface CliContext {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdin: NodeJS.ReadableStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** aborted by Ctrl-C or SIGTERM; its reason is the signal's name */
  readonly signal: AbortSignal;
  readonly modules: PeerModules;
  /** arguments for `process.execPath` that start this command line again */
  readonly mainArguments: readonly string[];
  readonly threads: number;
  /** memory that is free for this process and its children, bytes */
  readonly memoryBytes: number;
}

/** Prints one line. */
export type Print = (line: string) => void;

/** Prints for people: to stdout, or to stderr when stdout belongs to a program that asked for `--json`. */
export function printerFor(context: CliContext, json: boolean): Print {
  const stream = json ? context.stderr : context.stdout;
  return (line) => void stream.write(`${line}\n`);
}

/** Prints one value as one line of JSON on stdout. */
export function printJson(context: CliContext, value: unknown): void {
  context.stdout.write(`${JSON.stringify(value)}\n`);
}

/** The code of a command that a signal ended. */
export function exitCodeOf(signal: AbortSignal): number {
  return signal.reason === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated;
}

/** Threads of this machine. */
export function countThreads(): number {
  return availableParallelism();
}

/** A network's name as people see it: its own, and the start of its id. */
export function nameNetwork(manifest: Manifest, networkId: string): string {
  return `"${manifest.name}" (${networkId.slice(0, 16)})`;
}
