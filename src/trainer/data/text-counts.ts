/** What is counted of text on its way to tokens. spec/data.md#packs */

/** Counts of text; separators are not part of it. */
export interface TextCounts {
  readonly bytes: number;
  /** Unicode code points */
  readonly characters: number;
  readonly tokens: number;
  readonly unknowns: number;
}

/** Nothing counted yet. */
export const noText: TextCounts = { bytes: 0, characters: 0, tokens: 0, unknowns: 0 };

/** The sum of counts. */
export function addCounts(...all: readonly TextCounts[]): TextCounts {
  return all.reduce(
    (sum, counts) => ({
      bytes: sum.bytes + counts.bytes,
      characters: sum.characters + counts.characters,
      tokens: sum.tokens + counts.tokens,
      unknowns: sum.unknowns + counts.unknowns,
    }),
    noText,
  );
}

/** Code points of UTF-8: the bytes that begin one. */
export function countCharacters(text: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    count += (text[at]! & 0xc0) === 0x80 ? 0 : 1;
  }
  return count;
}
