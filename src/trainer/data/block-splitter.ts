/**
 * Cuts documents into blocks, decides for each whether it trains or validates, and hands on runs of neighbours that
 * are on one side. Small state, so that it can go on in the middle of a document. spec/data.md#split
 */
import { hash } from 'node:crypto';
import { compareText } from '../../protocol/hex.ts';
import { findBlockLength, maxBlockBytes } from './cut-text.ts';

/** What a block is for. */
export type Side = 'training' | 'validation';

/** Which blocks validate: every 20th by hash; the equals of one block; none. */
export type SplitRule =
  | { readonly kind: 'share' }
  | { readonly kind: 'lowest'; readonly hash: string }
  | { readonly kind: 'none' };

/** What was seen of all blocks so far; seeing a block twice changes nothing. */
export interface SeenBlocks {
  readonly training: boolean;
  readonly validation: boolean;
  /** lowest hash, hex; empty before the first block */
  readonly lowest: string;
}

/** Who takes the runs. */
export interface RunHandler {
  /** whole blocks of one run, at most 64 KiB; the bytes are valid during the call alone */
  onText(side: Side, text: Uint8Array): void;
  /** the run is over: a separator follows */
  onRunEnd(side: Side): void;
}

const maxTextBytes = 65_536;
const validationShare = 20;
const nothingSeen: SeenBlocks = { training: false, validation: false, lowest: '' };

/** One document after the other; `emitted` and `seen` are all it takes to go on later. */
export class BlockSplitter {
  readonly #rule: SplitRule;
  readonly #handler: RunHandler;
  #seen: SeenBlocks;
  /** the document from `#emitted` on, as far as it is known */
  #buffer: Uint8Array = new Uint8Array();
  #emitted: number;
  /** bytes at the start of the buffer that are blocks of the open run and wait for their neighbours */
  #waiting = 0;
  /** side of the open run; null before the first block of a document */
  #side: Side | null = null;

  /** @param emitted bytes of the document that were handed on before; the text from there on is pushed first */
  constructor(rule: SplitRule, handler: RunHandler, seen: SeenBlocks = nothingSeen, emitted = 0) {
    this.#rule = rule;
    this.#handler = handler;
    this.#seen = seen;
    this.#emitted = emitted;
  }

  /**
   * Bytes of the document that were handed on. Going on from there needs no more: what was handed on last ends where a
   * block of the same run begins, or with its run.
   */
  get emitted(): number {
    return this.#emitted;
  }

  get seen(): SeenBlocks {
    return this.#seen;
  }

  /** More of the document. */
  push(bytes: Uint8Array): void {
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    while (this.#buffer.length - this.#waiting > maxBlockBytes) {
      this.#takeBlock(findBlockLength(this.#buffer.subarray(this.#waiting)));
    }
  }

  /** The document is over. */
  end(): void {
    if (this.#buffer.length > this.#waiting) {
      this.#takeBlock(this.#buffer.length - this.#waiting);
    }
    this.#endRun();
    this.#emitted = 0;
  }

  #takeBlock(length: number): void {
    const side = this.#judge(hash('sha256', this.#buffer.subarray(this.#waiting, this.#waiting + length), 'hex'));
    if (side !== this.#side) {
      this.#endRun();
      this.#side = side;
    } else if (this.#waiting + length > maxTextBytes) {
      this.#handOn();
    }
    this.#waiting += length;
  }

  #judge(digest: string): Side {
    const lowest = this.#seen.lowest === '' || compareText(digest, this.#seen.lowest) < 0 ? digest : this.#seen.lowest;
    const side = isValidation(this.#rule, digest) ? 'validation' : 'training';
    this.#seen = { ...this.#seen, [side]: true, lowest };
    return side;
  }

  #handOn(): void {
    if (this.#side !== null && this.#waiting > 0) {
      this.#handler.onText(this.#side, this.#buffer.subarray(0, this.#waiting));
      this.#emitted += this.#waiting;
      this.#buffer = this.#buffer.subarray(this.#waiting);
      this.#waiting = 0;
    }
  }

  #endRun(): void {
    this.#handOn();
    if (this.#side !== null) {
      this.#handler.onRunEnd(this.#side);
      this.#side = null;
    }
  }
}

/**
 * The rule by which all text has to be split again, or null when both sides have what they need: text of which
 * nothing was picked to validate gives the block with the lowest hash, text of one block trains.
 */
export function findNextRule(rule: SplitRule, { training, validation, lowest }: SeenBlocks): SplitRule | null {
  if (rule.kind === 'none' || (training && validation)) {
    return null;
  }
  return training && rule.kind === 'share' ? { kind: 'lowest', hash: lowest } : { kind: 'none' };
}

function isValidation(rule: SplitRule, digest: string): boolean {
  if (rule.kind === 'lowest') {
    return digest === rule.hash;
  }
  return rule.kind === 'share' && Number.parseInt(digest.slice(0, 8), 16) % validationShare === 0;
}
