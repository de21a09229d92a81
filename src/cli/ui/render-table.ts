/** The live table and the plain lines, as functions of what the view knows. Pure: state in, lines out. */
import { styleText } from 'node:util';
import { formatBytes, formatDuration, formatLoss, formatRoot } from './format.ts';
import type { Symbols } from './symbols.ts';
import { compareRoots, type PeerRow, type ViewState } from './view-state.ts';

/** How to draw. */
export interface RenderOptions {
  readonly symbols: Symbols;
  readonly color: boolean;
  /** columns of the terminal; longer lines are cut */
  readonly width: number;
  readonly nowMs: number;
}

type Style = Parameters<typeof styleText>[0];
interface Cell {
  readonly text: string;
  readonly style?: Style;
}

const noticesShown = 4;
const barWidth = 10;

/** The whole live view: title, one row for each peer, whether the roots agree, the last notices. */
export function renderTable(state: ViewState, options: RenderOptions): string[] {
  const { symbols } = options;
  const header = ['', 'peer', 'round', 'phase', 'waits for', 'loss', 'sent', 'received', 'root'];
  const rows = state.peers.map((peer) => describeRow(peer, state, options));
  const widths = header.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.text.length)));
  const draw = (cells: readonly Cell[]): string => drawCells(cells, widths, options);
  return [
    drawCells([{ text: describeTitle(state, options), style: 'bold' }], [], options),
    draw(header.map((text) => ({ text, style: 'dim' }))),
    ...rows.map(draw),
    drawCells([describeAgreement(state, symbols)], [], options),
    ...state.notices.slice(-noticesShown).map((text) => drawCells([{ text, style: 'yellow' }], [], options)),
  ];
}

/**
 * What a plain log says about the way from one state to the next: every notice, and one line for each round that all
 * running peers have certified.
 */
export function renderProgress(before: ViewState, after: ViewState, nowMs: number): string[] {
  const lines = after.notices.slice(before.notices.length);
  for (let round = countRounds(before) + 1; round <= countRounds(after); round++) {
    const { known, different } = compareRoots(after, round);
    // A resumed network starts with rounds that nobody has told the roots of.
    if (known === 0) continue;
    const of = after.rounds === null ? '' : `/${after.rounds}`;
    const sent = after.peers.reduce((sum, peer) => sum + peer.bytesSent, 0);
    // The base is measured while the next round trains: the number belongs to an earlier round, and says to which.
    const measured = after.peers.reduce((latest, peer) => (peer.lossRound > latest.lossRound ? peer : latest));
    const roots = different > 1 ? 'roots DIFFER' : `${known}/${after.peers.length} on one root`;
    lines.push(
      `round ${round}${of}  ${roots}  loss ${formatLoss(measured.loss, '-')} after round ${measured.lossRound}  ` +
        `sent ${formatBytes(sent)}  ${formatDuration(nowMs - after.startedAtMs)}`,
    );
  }
  return lines;
}

/** Rounds that every peer which is not lost has applied. */
export function countRounds(state: ViewState): number {
  const running = state.peers.filter((peer) => peer.state !== 'lost');
  return running.length === 0 ? 0 : Math.min(...running.map((peer) => peer.round));
}

function describeTitle(state: ViewState, { symbols, nowMs }: RenderOptions): string {
  const of = state.rounds === null ? '' : `/${state.rounds}`;
  const parts = [state.title, `round ${countRounds(state)}${of}`, formatDuration(nowMs - state.startedAtMs)];
  return parts.join(` ${symbols.separator} `);
}

function describeRow(peer: PeerRow, state: ViewState, { symbols, nowMs }: RenderOptions): Cell[] {
  const marks = {
    starting: { text: symbols.waiting, style: 'dim' },
    running: { text: symbols.running, style: 'cyan' },
    done: { text: symbols.done, style: 'green' },
    restarting: { text: symbols.waiting, style: 'yellow' },
    lost: { text: symbols.lost, style: 'red' },
  } as const;
  return [
    marks[peer.state],
    { text: peer.name },
    { text: String(peer.round) },
    { text: describePhase(peer, symbols, nowMs) },
    { text: describeWaiting(peer, state, symbols), style: 'dim' },
    { text: formatLoss(peer.loss, symbols.dash) },
    { text: formatBytes(peer.bytesSent) },
    { text: formatBytes(peer.bytesReceived) },
    { text: formatRoot(peer.root, symbols.dash), style: 'dim' },
  ];
}

function describePhase(peer: PeerRow, symbols: Symbols, nowMs: number): string {
  if (peer.state !== 'running') return peer.state;
  if (peer.progress !== null) {
    const { step, of } = peer.progress;
    const filled = Math.round((Math.min(step, of) / Math.max(of, 1)) * barWidth);
    return `train ${symbols.full.repeat(filled)}${symbols.empty.repeat(barWidth - filled)} ${step}/${of}`;
  }
  const left = peer.deadlineMs === null ? 0 : peer.deadlineMs - nowMs;
  return left > 0 ? `${peer.phase} (${formatDuration(left)} left)` : peer.phase;
}

function describeWaiting(peer: PeerRow, state: ViewState, symbols: Symbols): string {
  const names = peer.waitingFor.map((who) => {
    const known = state.peers.find((other) => other.id === who);
    if (known !== undefined) return known.name;
    return who.length > 16 ? `${symbols.cut}${who.slice(-6)}` : who;
  });
  if (names.length > 3) return `${names.slice(0, 2).join(' ')} and ${names.length - 2} more`;
  return names.length === 0 ? symbols.dash : names.join(' ');
}

/** Whether the roots agree, for the last round of which more than one peer has told its root. */
function describeAgreement(state: ViewState, symbols: Symbols): Cell {
  const rounds = new Set(state.peers.flatMap((peer) => [...peer.roots.keys()]));
  const shared = [...rounds].filter((round) => state.peers.length === 1 || compareRoots(state, round).known > 1);
  if (shared.length === 0) return { text: 'no round certified yet', style: 'dim' };
  const round = Math.max(...shared);
  const { known, different } = compareRoots(state, round);
  if (different > 1) return { text: `${symbols.lost} round ${round}: ${different} different roots`, style: 'red' };
  return { text: `${symbols.done} round ${round}: ${known}/${state.peers.length} on one root`, style: 'green' };
}

/** Cells side by side, padded, cut at the width before any colour is added. */
function drawCells(
  cells: readonly Cell[],
  widths: readonly number[],
  { color, width, symbols }: RenderOptions,
): string {
  let left = width;
  let line = '';
  for (const [column, { text, style }] of cells.entries()) {
    const gap = column === 0 ? '' : column === 1 ? ' ' : '  ';
    if (left <= gap.length) break;
    left -= gap.length;
    const padded = column === cells.length - 1 ? text : text.padEnd(widths[column] ?? 0);
    const shown = padded.length > left ? `${padded.slice(0, left - 1)}${symbols.cut}` : padded;
    left -= shown.length;
    line += gap + (color && style !== undefined ? styleText(style, shown, { validateStream: false }) : shown);
  }
  return line.trimEnd();
}
