/** `tapestry-peer stop`: ends the running peers of this home as Ctrl-C would, and waits until they have. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { resolveHome } from '../../peer/config.ts';
import { findRunningPeer } from '../../peer/find-running-peer.ts';
import { listNetworkFolders } from '../../peer/network-folder.ts';
import { TapestryError } from '../../protocol/errors.ts';
import { type CliContext, exitCodes, printerFor, printJson } from '../cli-context.ts';
import { addCommonOptions, type CommonFlags, type Execute } from '../command-options.ts';

const patienceMs = 20_000;
const lookMs = 50;

/** Declares the command. */
export function addStopCommand(program: Command, execute: Execute): void {
  addCommonOptions(program.command('stop'))
    .description('end the running peers of this home')
    .action((flags: CommonFlags) => execute((context) => stopPeers(context, flags)));
}

async function stopPeers(context: CliContext, flags: CommonFlags): Promise<number> {
  const home = resolveHome(flags.home, context.environment).value;
  const print = printerFor(context, flags.json ?? false);
  const stopped: number[] = [];
  for (const folder of await listNetworkFolders(home)) {
    const pid = findRunningPeer(folder);
    if (pid === null) continue;
    process.kill(pid, 'SIGTERM');
    await waitForEnd(folder, pid, context.signal);
    stopped.push(pid);
    print(`Stopped process ${pid} of ${folder}`);
  }
  if (stopped.length === 0) print(`${home}: no peer is running`);
  if (flags.json) printJson(context, { home, stopped });
  return exitCodes.ok;
}

/** @throws {TapestryError} `not-stopped` */
async function waitForEnd(folder: string, pid: number, signal: AbortSignal): Promise<void> {
  for (let waited = 0; findRunningPeer(folder) === pid; waited += lookMs) {
    if (waited >= patienceMs || signal.aborted) {
      throw new TapestryError(
        'not-stopped',
        `${folder}: expected process ${pid} to end within ${patienceMs / 1000} s, found it running`,
        `Wait a little, or end it hard with: kill -9 ${pid}   (nothing certified is lost)`,
        { folder, pid },
      );
    }
    await delay(lookMs);
  }
}
