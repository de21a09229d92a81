/**
 * A long row of tokens that is read in windows, from memory or from shards on the disk. spec/data.md#packs
 */

/** Tokens by position. Reading is synchronous: a window comes out of the page cache in microseconds. */
export interface TokenStream {
  /** tokens in all */
  readonly length: number;
  /**
   * Fills `target` with the tokens from `start` on.
   * @throws {RangeError} when that goes past the end
   */
  read(start: number, target: Int32Array): void;
  /** Gives files back; twice is fine. Nothing may be read afterwards. */
  close(): void;
}

/** A stream over tokens in memory. */
export function createMemoryStream(tokens: Uint8Array | Int32Array): TokenStream {
  return {
    length: tokens.length,
    read(start, target) {
      requireRange(start, target.length, tokens.length);
      target.set(tokens.subarray(start, start + target.length));
    },
    close: () => {},
  };
}

/** @throws {RangeError} unless 0 ≤ start and start + count ≤ length */
export function requireRange(start: number, count: number, length: number): void {
  if (!(start >= 0 && start + count <= length)) {
    throw new RangeError(`Tokens ${start} to ${start + count} were asked for; there are ${length}.`);
  }
}
