/**
 * How well a tokenizer covers text, file by file and script by script, and how large both sides of the split are.
 * Reads and encodes everything as packing does, and writes nothing. spec/data.md#languages
 */
import { setImmediate } from 'node:timers/promises';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { findNextRule, type Side, type SplitRule } from './block-splitter.ts';
import { countScripts, findMainScript, type ScriptCounts } from './detect-script.ts';
import type { SourceFile } from './source-file.ts';
import { type SplitHandler, splitSources } from './split-sources.ts';
import { addCounts, countCharacters, noText, type TextCounts } from './text-counts.ts';

/** Counts of a file, a script, or all. */
export interface MeasuredText extends TextCounts {
  readonly documents: number;
}

/** One file. */
export interface MeasuredFile extends MeasuredText {
  readonly path: string;
  /** characters by script, the most frequent first */
  readonly scripts: Readonly<Record<string, number>>;
}

/** Text that is mostly of one script: documents by all their text, the rest by pieces of at most 64 KiB. */
export interface MeasuredLanguage extends MeasuredText {
  /** Unicode's name of the script */
  readonly script: string;
  /** share of this script among all characters that belong to one, 0 to 1 */
  readonly share: number;
}

/** Everything that was measured. */
export interface DataMeasure {
  readonly files: readonly MeasuredFile[];
  readonly languages: readonly MeasuredLanguage[];
  readonly training: TextCounts;
  readonly validation: TextCounts;
}

/** What is measured, and how that is watched and stopped. */
export interface MeasureInit {
  readonly files: readonly SourceFile[];
  readonly textField: string;
  readonly tokenizer: Tokenizer;
  /** bytes of the files that were read */
  readonly onProgress: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** Measures all files. @throws those of `splitSources`; the reason of `signal` */
export async function measureData(init: MeasureInit): Promise<DataMeasure> {
  const { files, textField } = init;
  for (let rule: SplitRule = { kind: 'share' }; ; ) {
    const counter = new DataCounter(init);
    const seen = await splitSources({ files, textField, rule, from: null }, counter);
    const next: SplitRule | null = seen.lowest === '' ? null : findNextRule(rule, seen);
    if (next === null) {
      return counter.finish();
    }
    rule = next;
  }
}

/** Counts of what is under way. */
interface OpenCounts {
  counts: TextCounts;
  documents: number;
}

class DataCounter implements SplitHandler {
  readonly #init: MeasureInit;
  readonly #files: (OpenCounts & { readonly scripts: ScriptCounts })[];
  readonly #languages = new Map<string, OpenCounts>();
  readonly #sides: Record<Side, TextCounts> = { training: noText, validation: noText };
  #document: ScriptCounts | null = null;

  constructor(init: MeasureInit) {
    this.#init = init;
    this.#files = init.files.map(() => ({ counts: noText, documents: 0, scripts: new Map() }));
  }

  onDocument(source: number): void {
    this.#endDocument();
    this.#document = new Map();
    this.#files[source]!.documents += 1;
  }

  onText(source: number, side: Side, text: Uint8Array): void {
    const { tokens, unknowns } = this.#init.tokenizer.encodeCounted(text);
    const more = { bytes: text.length, characters: countCharacters(text), tokens: tokens.length, unknowns };
    const scripts = countScripts(text);
    const file = this.#files[source]!;
    file.counts = addCounts(file.counts, more);
    addScripts(file.scripts, scripts);
    addScripts(this.#document!, scripts);
    const language = this.#openLanguage(findMainScript(scripts));
    language.counts = addCounts(language.counts, more);
    this.#sides[side] = addCounts(this.#sides[side], more);
  }

  onRunEnd(): void {}

  async beforePiece(_progress: unknown, readBytes: number): Promise<void> {
    await setImmediate();
    this.#init.signal.throwIfAborted();
    this.#init.onProgress(readBytes);
  }

  finish(): DataMeasure {
    this.#endDocument();
    const all: ScriptCounts = new Map();
    for (const { scripts } of this.#files) {
      addScripts(all, scripts);
    }
    const letters = [...all].reduce((sum, [name, count]) => (name === 'Common' ? sum : sum + count), 0);
    return {
      files: this.#files.map(({ counts, documents, scripts }, index) => ({
        path: this.#init.files[index]!.path,
        documents,
        ...counts,
        scripts: Object.fromEntries(sortScripts(scripts)),
      })),
      languages: sortScripts(all).flatMap(([script, count]) => {
        const found = this.#languages.get(script);
        const share = script === 'Common' || letters === 0 ? 0 : count / letters;
        return found === undefined ? [] : [{ script, share, documents: found.documents, ...found.counts }];
      }),
      ...this.#sides,
    };
  }

  #endDocument(): void {
    if (this.#document !== null) {
      this.#openLanguage(findMainScript(this.#document)).documents += 1;
      this.#document = null;
    }
  }

  #openLanguage(script: string): OpenCounts {
    const known = this.#languages.get(script);
    if (known !== undefined) {
      return known;
    }
    const fresh = { counts: noText, documents: 0 };
    this.#languages.set(script, fresh);
    return fresh;
  }
}

function addScripts(sum: ScriptCounts, more: ScriptCounts): void {
  for (const [name, count] of more) {
    sum.set(name, (sum.get(name) ?? 0) + count);
  }
}

function sortScripts(scripts: ScriptCounts): [string, number][] {
  return [...scripts].sort(([, a], [, b]) => b - a);
}
