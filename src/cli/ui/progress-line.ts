/** How far long work is: one line that is rewritten on a terminal, elsewhere a line for every tenth. */
import type { OutputStream } from '../cli-context.ts';
import { formatBytes, formatShare } from './format.ts';

/** A line about work that is measured in bytes. */
export interface ProgressLine {
  /** @param what the work, for example `packing` */
  show(what: string, done: number, of: number): void;
  /** Takes the line away. */
  end(): void;
}

const rewriteMs = 100;

/** A progress line on a stream. */
export function createProgressLine(stream: OutputStream, nowMs: () => number): ProgressLine {
  let shownAtMs = Number.NEGATIVE_INFINITY;
  let last = '';
  const describe = (what: string, done: number, of: number): string =>
    `${what} ${formatShare(of === 0 ? 1 : done / of)}  ${formatBytes(done)} of ${formatBytes(of)}`;
  return {
    show(what, done, of): void {
      if (stream.isTTY === true) {
        if (nowMs() - shownAtMs < rewriteMs && done < of) return;
        shownAtMs = nowMs();
        stream.write(`\r\u001B[K${describe(what, done, of)}`);
        return;
      }
      const tenth = `${what} ${Math.floor((of === 0 ? 1 : done / of) * 10)}`;
      if (tenth === last) return;
      last = tenth;
      stream.write(`${describe(what, done, of)}\n`);
    },
    end(): void {
      if (stream.isTTY === true) stream.write('\r\u001B[K');
    },
  };
}
