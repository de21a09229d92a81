import test from 'ava';
import { joinDocuments, splitDocuments } from '../../../src/trainer/data/split-documents.ts';
import { createNumbers } from '../helpers/numbers.ts';

const number = createNumbers(1);
const document = (length: number): Uint8Array =>
  Uint8Array.from({ length }, () => 1 + Math.floor((number() + 1) * 100));

function blocksOf(stream: Uint8Array): Set<string> {
  const blocks = new Set<string>();
  for (const run of Buffer.from(stream).toString('latin1').split('\0')) {
    for (let at = 0; at < run.length; at += 4096) {
      blocks.add(run.slice(at, at + 4096));
    }
  }
  blocks.delete('');
  return blocks;
}

test('documents are joined with zero bytes', (t) => {
  t.deepEqual([...joinDocuments([Uint8Array.of(1, 2), Uint8Array.of(3)])], [1, 2, 0, 3, 0]);
});

test('about a twentieth is kept aside and shares no block with the rest', (t) => {
  const documents = [document(400 * 4096), document(300 * 4096 + 17)];
  const { training, validation } = splitDocuments(documents);
  const trained = blocksOf(training);
  const kept = blocksOf(validation);
  t.is(trained.size + kept.size, 701);
  t.true([...kept].every((block) => !trained.has(block)));
  t.true(kept.size > 15 && kept.size < 60, `${kept.size}`);
});

test('more text moves no block to the other side', (t) => {
  const documents = [document(200 * 4096)];
  const before = blocksOf(splitDocuments(documents).validation);
  const after = blocksOf(splitDocuments([document(50 * 4096), ...documents]).validation);
  t.true(before.size > 1);
  t.true([...before].every((block) => after.has(block)));
});

test('of two blocks one is kept aside, of one none', (t) => {
  const two = splitDocuments([Uint8Array.of(1, 1), Uint8Array.of(2, 2)]);
  t.is(two.training.length, 3);
  t.is(two.validation.length, 3);
  const three = splitDocuments([Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]);
  t.is([...three.training].filter((byte) => byte === 0).length, 2);
  const one = splitDocuments([Uint8Array.of(1, 1)]);
  t.deepEqual([...one.training], [1, 1, 0]);
  t.is(one.validation.length, 0);
});
