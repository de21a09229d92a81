/** Where text may be cut. Nothing is decoded: UTF-8 shows its characters in the bytes. spec/data.md#split */

/** Most bytes of a block. */
export const maxBlockBytes: number = 4096;

const newline = 0x0a;
const space = 0x20;

/** The end of the last whole character at or before `at`, or `at` itself where there is no UTF-8. */
export function cutBeforeCharacter(bytes: Uint8Array, at: number): number {
  for (let cut = at; cut > at - 4 && cut > 0; cut--) {
    if ((bytes[cut]! & 0xc0) !== 0x80) {
      return cut;
    }
  }
  return at;
}

/**
 * Length of the block at the start of text that is longer than a block: up to and with the last newline in the
 * second half, else up to the last space there, else up to the last whole character.
 */
export function findBlockLength(text: Uint8Array): number {
  const half = text.subarray(maxBlockBytes / 2, maxBlockBytes);
  const lastNewline = half.lastIndexOf(newline);
  if (lastNewline !== -1) {
    return maxBlockBytes / 2 + lastNewline + 1;
  }
  const lastSpace = half.lastIndexOf(space);
  return lastSpace === -1 ? cutBeforeCharacter(text, maxBlockBytes) : maxBlockBytes / 2 + lastSpace;
}
