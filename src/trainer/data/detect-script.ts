/**
 * The Unicode script of text: as near to its language as it gets without a model of languages. spec/data.md#languages
 */

/** Scripts that have letters in living use, the frequent ones first; names are Unicode's. */
const scripts: readonly string[] = [
  ...['Latin', 'Han', 'Cyrillic', 'Arabic', 'Devanagari', 'Greek', 'Hebrew', 'Hiragana', 'Katakana', 'Hangul', 'Thai'],
  ...['Bengali', 'Tamil', 'Telugu', 'Gujarati', 'Gurmukhi', 'Kannada', 'Malayalam', 'Oriya', 'Sinhala', 'Khmer', 'Lao'],
  ...['Myanmar', 'Tibetan', 'Georgian', 'Armenian', 'Ethiopic', 'Cherokee', 'Canadian_Aboriginal', 'Mongolian'],
  ...['Bopomofo', 'Yi', 'Thaana', 'Syriac', 'Tifinagh', 'Nko', 'Vai', 'Adlam', 'Javanese', 'Balinese', 'Sundanese'],
  ...['Meetei_Mayek', 'Ol_Chiki', 'Lisu', 'Osage', 'Runic', 'Gothic', 'Ogham', 'Coptic', 'Cuneiform'],
  ...['Egyptian_Hieroglyphs', 'Braille'],
];

/** What belongs to no script: digits, punctuation, symbols; and what is not in the list. */
const common = 'Common';
const other = 'Other';

const patterns = [...scripts, common].map((name) => new RegExp(`^\\p{Script=${name}}$`, 'u'));
const inherited = /^\p{Script=Inherited}$/u;

/** Script of each code point that was asked for, as an index plus one: text has few different ones. */
const known = new Uint8Array(0x11_0000);

/** Characters by script; `Common` and `Other` are among the names. */
export type ScriptCounts = Map<string, number>;

/**
 * The script of most letters of a text.
 * @param text UTF-8
 * @returns Unicode's name, for example `Latin` or `Han`; `Common` where there are no letters
 */
export function detectScript(text: Uint8Array): string {
  return findMainScript(countScripts(text));
}

/** Counts the characters of each script. */
export function countScripts(text: Uint8Array): ScriptCounts {
  const totals = new Uint32Array(scripts.length + 2);
  for (const character of new TextDecoder().decode(text)) {
    const index = findScript(character);
    totals[index] = totals[index]! + 1;
  }
  const counts: ScriptCounts = new Map();
  for (const [index, total] of totals.entries()) {
    if (total > 0) {
      counts.set(nameScript(index), total);
    }
  }
  return counts;
}

/** The script with the most letters; on a tie the one that is counted first. */
export function findMainScript(counts: ScriptCounts): string {
  let main = common;
  let most = 0;
  for (const [name, total] of counts) {
    if (name !== common && total > most) {
      main = name;
      most = total;
    }
  }
  return main;
}

function findScript(character: string): number {
  const code = character.codePointAt(0)!;
  if (known[code] === 0) {
    const found = patterns.findIndex((pattern) => pattern.test(character));
    const isMark = found === -1 && inherited.test(character);
    known[code] = (found === -1 ? (isMark ? patterns.length - 1 : patterns.length) : found) + 1;
  }
  return known[code]! - 1;
}

function nameScript(index: number): string {
  return index < scripts.length ? scripts[index]! : index === scripts.length ? common : other;
}
