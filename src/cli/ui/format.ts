/** Numbers as short text: bytes, durations, losses, ids. Pure. */

/** Bytes with a decimal unit, for example `1.2 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds as `0.4 s`, `59 s`, `2:05` or `1:02:05`. */
export function formatDuration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** A loss with three decimals, or a dash where there is none yet. */
export function formatLoss(loss: number | null, dash: string): string {
  return loss === null ? dash : loss.toFixed(3);
}

/** The first eight digits of a root, or a dash. */
export function formatRoot(root: string, dash: string): string {
  return root === '' ? dash : root.slice(0, 8);
}

/** A share of 0 … 1 as whole percent. */
export function formatShare(share: number): string {
  return `${Math.round(share * 100)} %`;
}
