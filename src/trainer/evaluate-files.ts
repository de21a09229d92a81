/**
 * Loss of a model on files of text, for every file and every language. Files are read as streams, one document after
 * the other; nothing is sampled at random. spec/generation.md#evaluating
 */
import { type Piece, readPieces } from './data/read-pieces.ts';
import type { SourceFile } from './data/source-file.ts';
import type { LossSum, TextEvaluator } from './evaluate-text.ts';
import type { Tokenizer } from './tokenizer/tokenizer.ts';

/** Most bytes that are encoded at once: a longer document is cut there. */
const pieceBytes = 2 ** 16;

/** What was counted of the documents of one file that are in one language. */
export interface FileLoss extends LossSum {
  readonly path: string;
  readonly language: string;
  documents: number;
  /** of what was predicted */
  bytes: number;
}

/** What to evaluate and how. */
export interface EvaluateFilesInit {
  readonly evaluator: TextEvaluator;
  readonly tokenizer: Tokenizer;
  readonly files: readonly SourceFile[];
  /** field of a .jsonl line, column of a .parquet file */
  readonly textField: string;
  /** most windows of each file, its first ones */
  readonly maxWindows: number;
  /** names the language of a text by its beginning */
  readonly detectLanguage: (text: Uint8Array) => string;
  /** bytes that were read of all files, after each piece */
  readonly onProgress: (readBytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Evaluates all files in order.
 * @returns one entry for every language of every file, in the order they came
 * @throws the reason of `signal` when it is aborted; what the reader throws (`data-line`, `data-parquet`, `data-changed`)
 */
export async function evaluateFiles(init: EvaluateFilesInit): Promise<FileLoss[]> {
  const losses: FileLoss[] = [];
  let readBefore = 0;
  for (const file of init.files) {
    const byLanguage = new Map<string, FileLoss>();
    const documents = new DocumentCutter(init, file.path, byLanguage);
    for await (const piece of readPieces(file, init.textField, undefined, pieceBytes)) {
      init.signal.throwIfAborted();
      await documents.push(piece);
      init.onProgress(readBefore + piece.readBytes);
      if (documents.isFull) {
        break;
      }
    }
    readBefore += file.size;
    losses.push(...byLanguage.values());
  }
  await init.evaluator.flush();
  return losses;
}

/** Cuts the documents of one file into windows, and counts their bytes. */
class DocumentCutter {
  readonly #init: EvaluateFilesInit;
  readonly #path: string;
  readonly #byLanguage: Map<string, FileLoss>;
  #windowsLeft: number;
  /** the document under way */
  #loss: FileLoss | null = null;
  /** its tokens that are in no window yet; the first was the last of the window before */
  #waiting: Int32Array = new Int32Array();

  constructor(init: EvaluateFilesInit, path: string, byLanguage: Map<string, FileLoss>) {
    this.#init = init;
    this.#path = path;
    this.#byLanguage = byLanguage;
    this.#windowsLeft = init.maxWindows;
  }

  /** Whether all windows that were asked for are cut. */
  get isFull(): boolean {
    return this.#windowsLeft === 0;
  }

  async push({ bytes, last }: Piece): Promise<void> {
    const { evaluator, tokenizer } = this.#init;
    const all = tokenizer.encode(bytes);
    this.#loss ??= this.#begin(bytes);
    const room = this.#windowsLeft * evaluator.windowLength + 1 - this.#waiting.length;
    const tokens = all.length > room ? all.subarray(0, room) : all;
    this.#loss.bytes += tokens.length < all.length ? tokenizer.decode(tokens).length : bytes.length;
    if (this.#waiting.length === 0) {
      // The document's first token is not predicted.
      this.#loss.bytes -= tokenizer.decode(tokens.subarray(0, 1)).length;
    }
    const joined = new Int32Array(this.#waiting.length + tokens.length);
    joined.set(this.#waiting);
    joined.set(tokens, this.#waiting.length);
    this.#waiting = joined;
    await this.#cut(last || tokens.length < all.length);
  }

  #begin(bytes: Uint8Array): FileLoss {
    const language = this.#init.detectLanguage(bytes);
    const path = this.#path;
    const known = this.#byLanguage.get(language) ?? { path, language, documents: 0, bytes: 0, tokens: 0, nats: 0 };
    this.#byLanguage.set(language, known);
    known.documents += 1;
    return known;
  }

  async #cut(isEnd: boolean): Promise<void> {
    const { evaluator } = this.#init;
    const { windowLength } = evaluator;
    while (this.#waiting.length > windowLength || (isEnd && this.#waiting.length > 1)) {
      await evaluator.add(this.#waiting.slice(0, windowLength + 1), this.#loss!);
      this.#waiting = this.#waiting.slice(windowLength);
      this.#windowsLeft -= 1;
    }
    if (isEnd) {
      this.#loss = null;
      this.#waiting = new Int32Array();
    }
  }
}
