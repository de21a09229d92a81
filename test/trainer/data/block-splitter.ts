import { createHash } from 'node:crypto';
import test from 'ava';
import { BlockSplitter, findNextRule, type RunHandler, type Side } from '../../../src/trainer/data/block-splitter.ts';
import { createWords } from '../helpers/words.ts';

const word = createWords(3);

/** Text with a newline every few words, stretches of spaces alone, and stretches of neither. */
function makeText(length: number): Buffer {
  const unbroken = (): string => Array.from({ length: 600 }, () => `ä🙂${word()}`).join('');
  const parts: string[] = [];
  for (let size = 0; size < length; size += parts.at(-1)!.length) {
    const kind = parts.length % 2000;
    parts.push(kind === 1999 ? unbroken() : `${word()}${kind % 9 === 0 && kind < 1000 ? '\n' : ' '}`);
  }
  return Buffer.from(parts.join('')).subarray(0, length);
}

interface Run {
  readonly side: Side;
  readonly texts: Buffer[];
}

function split(documents: readonly Uint8Array[], step = 70_000): Run[] {
  const runs: Run[] = [];
  let open = false;
  const handler: RunHandler = {
    onText(side, text) {
      if (!open) runs.push({ side, texts: [] });
      open = true;
      runs.at(-1)!.texts.push(Buffer.from(text));
    },
    onRunEnd: () => {
      open = false;
    },
  };
  const splitter = new BlockSplitter({ kind: 'share' }, handler);
  for (const document of documents) {
    for (let at = 0; at < document.length; at += step) splitter.push(document.subarray(at, at + step));
    splitter.end();
  }
  return runs;
}

const textOf = (runs: readonly Run[], side?: Side): string =>
  runs
    .filter((run) => side === undefined || run.side === side)
    .map(({ texts }) => Buffer.concat(texts).toString('latin1'))
    .join('\0');

const large = makeText(1_000_000);

test('all text is handed on once, in order, in pieces of at most 64 KiB', (t) => {
  const runs = split([large, Buffer.from('x'), large.subarray(0, 4097)]);
  const texts = runs.flatMap((run) => run.texts);
  t.true(Buffer.concat(texts).equals(Buffer.concat([large, Buffer.from('x'), large.subarray(0, 4097)])));
  t.true(texts.every(({ length }) => length <= 65_536));
  t.true(texts.some(({ length }) => length > 60_000));
});

test('about a twentieth validates', (t) => {
  const share = textOf(split([large]), 'validation').length / large.length;
  t.true(share > 0.03 && share < 0.07, `${share}`);
});

test('a block validates if the number at the start of its hash is divisible by 20', (t) => {
  const documents = Array.from({ length: 300 }, (_, index) => Buffer.from(`document ${index}`));
  const expected = documents.map((bytes) => createHash('sha256').update(bytes).digest().readUInt32BE(0) % 20 === 0);
  t.deepEqual(
    split(documents).map(({ side }) => side === 'validation'),
    expected,
  );
  t.true(expected.includes(true));
});

test('how the text arrives changes nothing', (t) => {
  const expected = JSON.stringify(split([large]));
  for (const step of [999, 4096, 1_000_000]) t.true(JSON.stringify(split([large], step)) === expected);
});

test('a block ends after a newline, else before a space, else between characters', (t) => {
  const whole = { kind: 'none' } as const;
  const cuts = (text: string): number[] => {
    const lengths: number[] = [];
    const handler = { onText: (_: Side, bytes: Uint8Array) => lengths.push(bytes.length), onRunEnd: () => {} };
    const splitter = new BlockSplitter(whole, handler);
    // Sixteen blocks fill a piece: the piece's end shows where the sixteenth ends.
    splitter.push(Buffer.from(text.repeat(17)));
    splitter.end();
    return lengths;
  };
  // 4093 + newline + 6 more: each block is cut after the newline, and what is left over moves on.
  t.deepEqual(cuts(`${'a'.repeat(4093)}\n`), [4094 * 16, 4094]);
  t.deepEqual(cuts(`${'a'.repeat(4093)} `), [4093 + 4094 * 15, 4094 + 1]);
  t.is(cuts(`${'ä'.repeat(2047)}x`)[0], 4095 * 16);
  t.is(cuts('a'.repeat(4096))[0], 65_536);
});

test('the sides share no block, and more text moves no block over', (t) => {
  const before = split([large]);
  const lines = (runs: Run[], side: Side): Set<string> =>
    new Set(
      textOf(runs, side)
        .split(/[\n\0 ]/)
        .filter((line) => line.length > 30),
    );
  const training = lines(before, 'training');
  t.true([...lines(before, 'validation')].every((line) => !training.has(line)));
  const after = split([makeText(300_000), Buffer.concat([large, makeText(300_000)])]);
  const validation = textOf(after, 'validation');
  const kept = before.filter(({ side }) => side === 'validation');
  t.true(kept.length > 10);
  // The last block of the document has grown; all others are where they were.
  for (const { texts } of kept.slice(0, -1)) t.true(validation.includes(Buffer.concat(texts).toString('latin1')));
  const gone = textOf(after, 'training');
  for (const { texts } of kept.slice(0, -1)) t.false(gone.includes(Buffer.concat(texts).toString('latin1')));
});

test('from any place on it hands on what was to come', (t) => {
  const document = large.subarray(0, 400_000);
  const log = (splitter: (handler: RunHandler) => void): string[] => {
    const calls: string[] = [];
    splitter({
      onText: (side, text) => calls.push(`${side} ${Buffer.from(text).toString('latin1')}`),
      onRunEnd: (side) => calls.push(`end ${side}`),
    });
    return calls;
  };
  for (let pushed = 0; pushed <= document.length; pushed += 10_000) {
    let rest: string[] = [];
    const whole = log((handler) => {
      const splitter = new BlockSplitter({ kind: 'share' }, handler);
      splitter.push(document.subarray(0, pushed));
      const { emitted, seen } = splitter;
      rest = log((other) => {
        const resumed = new BlockSplitter({ kind: 'share' }, other, seen, emitted);
        resumed.push(document.subarray(emitted));
        resumed.end();
      });
      splitter.push(document.subarray(pushed));
      splitter.end();
    });
    t.true(rest.length > 0);
    t.true(rest.join() === whole.slice(-rest.length).join());
  }
});

test('where nothing is picked the lowest block validates, and a block alone trains', (t) => {
  const seen = { training: true, validation: false, lowest: 'ab' };
  t.is(findNextRule({ kind: 'share' }, { ...seen, validation: true }), null);
  t.deepEqual(findNextRule({ kind: 'share' }, seen), { kind: 'lowest', hash: 'ab' });
  t.deepEqual(findNextRule({ kind: 'share' }, { ...seen, training: false, validation: true }), { kind: 'none' });
  t.deepEqual(findNextRule({ kind: 'lowest', hash: 'ab' }, { ...seen, training: false }), { kind: 'none' });
  t.is(findNextRule({ kind: 'none' }, seen), null);
});
