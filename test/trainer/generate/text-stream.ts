import test from 'ava';
import { TextStream, type TokenDecoder } from '../../../src/trainer/generate/text-stream.ts';

const bytes: TokenDecoder = { decode: (tokens) => Uint8Array.from(tokens) };

/** Words whose space is part of the text only where something is before it, as with SentencePiece. */
const words: TokenDecoder = {
  decode: (tokens) =>
    Buffer.from(
      Array.from(tokens, (token) => ['▁a', '▁b', 'c'][token])
        .join('')
        .replaceAll('▁', ' ')
        .replace(/^ /, ''),
    ),
};

function feed(stream: TextStream, tokens: Iterable<number>): string[] {
  return [...Array.from(tokens, (token) => stream.push(token)), stream.end()];
}

test('a character comes out when its last byte has come', (t) => {
  const stream = new TextStream(bytes, Buffer.from('prompt '));
  t.deepEqual(feed(stream, Buffer.from('aé€𝄞b')), ['a', '', 'é', '', '', '€', '', '', '', '𝄞', 'b', '']);
});

test('what comes out is the text of all tokens, whole or broken', (t) => {
  const texts = [
    Buffer.from('\u{feff}日本語 \u{feff}\u{feff} and more'),
    Buffer.of(0xff, 0xff, 0x61, 0xe2, 0x82, 0xf0, 0x9f, 0x98, 0x80, 0xc3),
    Buffer.of(0xe2, 0x82),
    Buffer.of(0x80, 0xef, 0xbf, 0xbd, 0x7a),
  ];
  for (const text of texts) {
    t.is(feed(new TextStream(bytes, []), text).join(''), new TextDecoder('utf-8', { ignoreBOM: true }).decode(text));
  }
});

test('nothing shown is taken back while broken bytes come', (t) => {
  const stream = new TextStream(bytes, []);
  // The first of two broken bytes is certain as soon as the second cannot belong to it.
  t.deepEqual(feed(stream, [0xff, 0xff, 0x41]), ['', '\uFFFD', '\uFFFDA', '']);
});

test('a text that stops inside a character ends with a replacement', (t) => {
  t.deepEqual(feed(new TextStream(bytes, []), [0x61, 0xe2, 0x82]), ['a', '', '', '\uFFFD']);
});

test('spaces between words stay, also after the prompt', (t) => {
  t.deepEqual(feed(new TextStream(words, [0]), [1, 2, 0, 0]), [' b', 'c', ' a', ' a', '']);
  t.deepEqual(feed(new TextStream(words, []), [1, 0]), ['b', ' a', '']);
});

test('the prompt itself never comes out', (t) => {
  const stream = new TextStream(bytes, Buffer.from('日本語日本語'));
  t.is(stream.push(0x61), 'a');
  t.is(stream.end(), '');
});
