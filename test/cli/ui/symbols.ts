import test from 'ava';
import { chooseSymbols, supportsUnicode } from '../../../src/cli/ui/symbols.ts';

test('every symbol is one column and has a twin of one ASCII character', (t) => {
  const [plain, fancy] = [chooseSymbols(false), chooseSymbols(true)];
  t.deepEqual(Object.keys(plain), Object.keys(fancy));
  for (const symbol of Object.values(plain)) t.regex(symbol, /^[\x21-\x7e]$/);
  for (const symbol of Object.values(fancy)) t.is(symbol.length, 1);
});

test('the locale decides, the first of its three variables that is set', (t) => {
  t.true(supportsUnicode({ LANG: 'en_GB.UTF-8' }));
  t.true(supportsUnicode({ LC_ALL: 'de_CH.utf8', LANG: 'C' }));
  t.false(supportsUnicode({ LC_ALL: 'C', LANG: 'en_GB.UTF-8' }));
  t.false(supportsUnicode({}));
});

test('a terminal that cannot show it gets ASCII whatever the locale says', (t) => {
  t.false(supportsUnicode({ TERM: 'linux', LANG: 'en_GB.UTF-8' }));
  t.false(supportsUnicode({ TERM: 'dumb', LANG: 'en_GB.UTF-8' }));
});
