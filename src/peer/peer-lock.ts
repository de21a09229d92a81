/**
 * One running peer for each network folder: the file `pid` names the process that works in it.
 * A killed process leaves its file behind; the start time in it tells a new process with the old number apart.
 */
import { readFileSync } from 'node:fs';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TapestryError } from '../protocol/errors.ts';
import { ensureWritableFolder, folderUnwritable } from './storage/folder.ts';

/** Held while a peer runs. */
export interface PeerLock {
  release(): Promise<void>;
}

/**
 * Takes the folder for this process.
 * @throws {TapestryError} `already-running` with the fact `pid`, or `folder-unwritable`
 */
export async function acquirePeerLock(folder: string): Promise<PeerLock> {
  ensureWritableFolder(folder);
  const file = join(folder, 'pid');
  const draft = `${file}.${process.pid}`;
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(draft, `${process.pid} ${readStartTime(process.pid)}\n`);
      // A link appears with its content and fails where the file is there: nobody sees a half-written one.
      await link(draft, file).finally(() => rm(draft, { force: true }));
      return { release: () => rm(file, { force: true }) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST' || attempt === 3) {
        throw folderUnwritable(folder, error);
      }
    }
    const pid = await findRunningPeer(folder);
    if (pid !== null) {
      throw new TapestryError(
        'already-running',
        `${folder}: expected no running peer, found process ${pid}`,
        'Use that one, or end it with "tapestry-peer stop".',
        { folder, pid },
      );
    }
    await rm(file, { force: true });
  }
}

/** The number of the live process that works in a network folder, or null. */
export async function findRunningPeer(folder: string): Promise<number | null> {
  const text = await readFile(join(folder, 'pid'), 'utf8').catch(() => '');
  const match = /^(\d+) (\S+)\n$/.exec(text);
  if (match === null) return null;
  const pid = Number(match[1]);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, but belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return null;
  }
  return readStartTime(pid) === match[2] ? pid : null;
}

/** When a process started, in ticks since the machine did; `-` where the system does not tell or it has ended. */
function readStartTime(pid: number): string {
  try {
    const facts = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets and may hold spaces; the start time is the 22nd.
    const fields = facts.slice(facts.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '-');
  } catch {
    return '-';
  }
}
