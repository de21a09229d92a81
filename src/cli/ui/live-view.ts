/**
 * Shows a view state on a stream: a table that is redrawn in place on a terminal, plain lines anywhere else.
 * What is shown is decided in `render-table.ts`.
 */
import type { OutputStream } from '../cli-context.ts';
import { renderProgress, renderTable } from './render-table.ts';
import { chooseSymbols, supportsUnicode } from './symbols.ts';
import type { ViewState } from './view-state.ts';

/** Shows state after state until it is stopped. */
export interface LiveView {
  update(state: ViewState): void;
  /** Draws the last state and leaves the cursor below it; twice is fine. */
  stop(): void;
}

/** What a live view is made from. */
export interface LiveViewInit {
  readonly stream: OutputStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly nowMs: () => number;
}

const redrawMs = 100;
const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';

/** A table on a terminal that can move its cursor, otherwise lines. */
export function createLiveView(init: LiveViewInit): LiveView {
  const { CI, TERM } = init.environment;
  const canRedraw = init.stream.isTTY === true && !CI && TERM !== 'dumb';
  return canRedraw ? createTableView(init) : createLineView(init);
}

function createLineView({ stream, nowMs }: LiveViewInit): LiveView {
  let shown: ViewState | null = null;
  return {
    update(state): void {
      const before = shown ?? { ...state, peers: state.peers.map((peer) => ({ ...peer })), notices: [] };
      for (const line of renderProgress(before, state, nowMs())) stream.write(`${line}\n`);
      shown = state;
    },
    stop(): void {},
  };
}

function createTableView({ stream, environment, nowMs }: LiveViewInit): LiveView {
  const symbols = chooseSymbols(supportsUnicode(environment));
  const color = !environment.NO_COLOR;
  let state: ViewState | null = null;
  let drawn = 0;
  let timer: NodeJS.Timeout | null = null;
  const draw = (): void => {
    if (state === null) return;
    const options = { symbols, color, width: Math.max(20, (stream.columns ?? 80) - 1), nowMs: nowMs() };
    const lines = renderTable(state, options);
    // A table taller than the terminal would scroll away from under the cursor.
    const fitting = lines.slice(0, Math.max(3, (stream.rows ?? 24) - 1));
    const up = drawn > 0 ? `\x1b[${drawn}A` : hideCursor;
    stream.write(`${up}${fitting.map((line) => `\x1b[2K${line}\n`).join('')}\x1b[0J`);
    drawn = fitting.length;
  };
  return {
    update(next): void {
      state = next;
      if (timer === null) {
        draw();
        timer = setInterval(draw, redrawMs);
      }
    },
    stop(): void {
      if (timer === null) return;
      clearInterval(timer);
      timer = null;
      draw();
      state = null;
      stream.write(showCursor);
    },
  };
}
