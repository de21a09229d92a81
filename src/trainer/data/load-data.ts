/**
 * From a data source to the streams that training and evaluation read. spec/data.md#sources
 */
import { TapestryError } from '../../protocol/errors.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Side } from './block-splitter.ts';
import { openPack } from './open-pack.ts';
import { describeTokenizer, sumSide } from './pack-record.ts';
import { readStarterTexts, selectStarterEntries, starterKinds } from './starter-corpus.ts';
import { createMemoryStream, type TokenStream } from './token-stream.ts';

/** Where text comes from: the starter corpus (one kind, or all with null), or a packed folder of a person's own. */
export type DataSource = StarterSource | { readonly kind: 'pack'; readonly folder: string };

/** The starter corpus, or one kind of it. */
export interface StarterSource {
  readonly kind: 'starter';
  /** 0 to 3, or null for all kinds */
  readonly kindIndex: number | null;
}

/** A stream, and what turns a loss per token of it into one per byte. */
export interface TextPart {
  readonly stream: TokenStream;
  /** tokens of the text a byte of it; exactly 1 for bytes, and for no text */
  readonly tokensPerByte: number;
}

/** A peer's own text, in two parts that share nothing. */
export interface TrainingData {
  readonly training: TextPart;
  /** may be empty */
  readonly validation: TextPart;
  /** files that were passed over, one line each */
  readonly warnings: readonly string[];
}

/** Held-out text of one kind. */
export interface HeldOutKind extends TextPart {
  readonly kind: string;
}

/** What is evaluated on, and the files that were passed over. */
export interface HeldOutData {
  readonly kinds: readonly HeldOutKind[];
  readonly warnings: readonly string[];
}

/**
 * Loads the text that a peer trains on. The held-out files of the starter corpus are never part of it.
 * @param minTokens fewest tokens that make one window
 * @throws {TapestryError} `data-too-small`, `pack-tokenizer`, and those of `openPack`
 */
export async function loadTrainingData(
  source: DataSource,
  tokenizer: Tokenizer,
  minTokens: number,
): Promise<TrainingData> {
  const data = source.kind === 'pack' ? await loadPack(source.folder, tokenizer) : await loadStarter(source, tokenizer);
  const { length } = data.training.stream;
  if (length < minTokens) {
    const where = source.kind === 'pack' ? source.folder : 'the starter corpus';
    throw new TapestryError(
      'data-too-small',
      `There are ${length} tokens to train on in ${where}; one sequence takes ${minTokens}.`,
      source.kind === 'pack' ? 'Give more text.' : 'Run `npm ci` again: files of the installed packages are missing.',
      { tokens: length, minTokens },
    );
  }
  return data;
}

/** Loads the shared held-out text: the held-out files of the starter corpus by kind. */
export async function loadHeldOut(source: StarterSource, tokenizer: Tokenizer): Promise<HeldOutData> {
  const kinds: HeldOutKind[] = [];
  const warnings: string[] = [];
  for (const [index, kind] of starterKinds.entries()) {
    if (source.kindIndex === null || source.kindIndex === index) {
      const texts = await readStarterTexts(selectStarterEntries(index, 'held-out'));
      kinds.push({ kind, ...joinDocuments(texts.documents, tokenizer) });
      warnings.push(...texts.warnings);
    }
  }
  return { kinds, warnings };
}

/** Documents one after the other in memory, each followed by the separator. */
export function joinDocuments(documents: readonly Uint8Array[], tokenizer: Tokenizer): TextPart {
  const encoded = documents.map((document) => tokenizer.encode(document));
  const tokens = encoded.reduce((sum, { length }) => sum + length, 0);
  const bytes = documents.reduce((sum, { length }) => sum + length, 0);
  const joined = new Int32Array(tokens + encoded.length);
  let at = 0;
  for (const part of encoded) {
    joined.set(part, at);
    joined[at + part.length] = tokenizer.separator;
    at += part.length + 1;
  }
  // A quarter of the memory, where the ids allow it.
  const stream = createMemoryStream(tokenizer.vocabSize <= 256 ? Uint8Array.from(joined) : joined);
  return { stream, tokensPerByte: computeRatio(tokens, bytes) };
}

/**
 * Up to `count` windows of T + 1 tokens, evenly spread and without overlap: the same for everyone who has the same text.
 * @returns [S, T + 1] with S ≤ count; empty when the text is shorter than one window
 */
export function selectWindows(stream: TokenStream, count: number, sequenceLength: number): Int32Array {
  const width = sequenceLength + 1;
  const windows = Math.min(count, Math.floor(stream.length / width));
  const tokens = new Int32Array(windows * width);
  for (let row = 0; row < windows; row++) {
    stream.read(Math.floor((row * stream.length) / windows), tokens.subarray(row * width, (row + 1) * width));
  }
  return tokens;
}

async function loadPack(folder: string, tokenizer: Tokenizer): Promise<TrainingData> {
  const pack = await openPack(folder);
  const { record } = pack;
  if (JSON.stringify(record.tokenizer) !== JSON.stringify(describeTokenizer(tokenizer))) {
    await pack.close();
    throw new TapestryError(
      'pack-tokenizer',
      `The text in ${folder} was packed with another tokenizer (${record.tokenizer.hash ?? 'bytes'}) than the network's (${tokenizer.hash ?? 'bytes'}).`,
      'Give the text itself with --data, or pack it with the tokenizer of the network.',
      { folder, expected: tokenizer.hash, found: record.tokenizer.hash },
    );
  }
  const part = (side: Side): TextPart => {
    const { tokens, bytes } = sumSide(record, side);
    return { stream: pack[side], tokensPerByte: computeRatio(tokens, bytes) };
  };
  return { training: part('training'), validation: part('validation'), warnings: [] };
}

async function loadStarter({ kindIndex }: StarterSource, tokenizer: Tokenizer): Promise<TrainingData> {
  const training = await readStarterTexts(selectStarterEntries(kindIndex, 'training'));
  const heldOut = await readStarterTexts(selectStarterEntries(kindIndex, 'held-out'));
  return {
    training: joinDocuments(training.documents, tokenizer),
    validation: joinDocuments(heldOut.documents, tokenizer),
    warnings: [...training.warnings, ...heldOut.warnings],
  };
}

function computeRatio(tokens: number, bytes: number): number {
  return bytes === 0 ? 1 : tokens / bytes;
}
