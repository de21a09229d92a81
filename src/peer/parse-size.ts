/** Sizes as people write them: `20GB`, `500 MB`, `1.5 TB`, `1048576`. */

const units: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 };

/** What to write instead of a text that is no size. */
export const sizeExpectation = 'a size such as 20GB, 500MB or a number of bytes';

/** Bytes of a size with a decimal unit, rounded down, or null if the text is none. */
export function parseSize(text: string): number | null {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]{0,2})\s*$/i.exec(text) ?? [];
  const factor = units[unit?.toLowerCase() ?? ''];
  const bytes = number === undefined || factor === undefined ? Number.NaN : Math.floor(Number(number) * factor);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
