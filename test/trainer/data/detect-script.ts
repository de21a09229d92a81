import { readFile } from 'node:fs/promises';
import test from 'ava';
import { countScripts, detectScript } from '../../../src/trainer/data/detect-script.ts';

for (const [script, text] of [
  ['Latin', 'Hello, wörld! 123'],
  ['Han', '床前明月光,疑是地上霜。'],
  ['Cherokee', 'ᎣᏏᏲ'],
  ['Cyrillic', 'Глокая куздра and'],
  ['Devanagari', 'नमस्ते दुनिया'],
  ['Arabic', 'السلام عليكم'],
  ['Common', '123 + 456 = 579 🙂'],
  ['Common', ''],
  ['Other', '𐎀𐎁𐎂'],
] as const) {
  test(`the script of "${text}" is ${script}`, (t) => {
    t.is(detectScript(Buffer.from(text)), script);
  });
}

test('characters are counted by script, marks and digits as common ones', (t) => {
  t.deepEqual(
    [...countScripts(Buffer.from('aä 1e\u0301漢🙂'))],
    [
      ['Latin', 3],
      ['Han', 1],
      ['Common', 4],
    ],
  );
});

test('this file is in Latin', async (t) => {
  t.is(detectScript(await readFile(new URL(import.meta.url))), 'Latin');
});
