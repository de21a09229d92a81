/** Every symbol with its ASCII twin, and the rule that decides between them. */

/** The symbols of the live view. */
export interface Symbols {
  readonly done: string;
  readonly running: string;
  readonly lost: string;
  readonly waiting: string;
  readonly full: string;
  readonly empty: string;
  readonly dash: string;
  readonly cut: string;
  readonly separator: string;
}

const unicode: Symbols = {
  done: '✔',
  running: '●',
  lost: '✘',
  waiting: '○',
  full: '█',
  empty: '░',
  dash: '–',
  cut: '…',
  separator: '·',
};

const ascii: Symbols = {
  done: '+',
  running: '*',
  lost: 'x',
  waiting: 'o',
  full: '#',
  empty: '.',
  dash: '-',
  cut: '~',
  separator: '|',
};

/** The symbols for a terminal, or their ASCII twins. */
export function chooseSymbols(canUnicode: boolean): Symbols {
  return canUnicode ? unicode : ascii;
}

/** True if the environment says that its terminal shows UTF-8. */
export function supportsUnicode(environment: Readonly<Record<string, string | undefined>>): boolean {
  if (environment.TERM === 'linux' || environment.TERM === 'dumb') return false;
  // As the C library chooses the character set: the first of the three that is set.
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  return /utf-?8/i.test(locale) || environment.WT_SESSION !== undefined;
}
