/**
 * Token shards as one stream. Every window is a positional read: the system's page cache holds what is in use, and
 * this process next to nothing. spec/data.md#packs
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { TapestryError } from '../../protocol/errors.ts';
import type { Side } from './block-splitter.ts';
import { nameShard } from './pack-record.ts';
import { type ShardShape, viewTokens } from './shard-writer.ts';
import { requireRange, type TokenStream } from './token-stream.ts';

/** A stream over the shards of one side. */
export class ShardStream implements TokenStream {
  readonly length: number;
  readonly #folder: string;
  readonly #side: Side;
  readonly #shape: ShardShape;
  /** All are open from the beginning: a pack that is made anew under a running trainer is never mixed in. */
  #files: number[] = [];
  #scratch: ArrayBuffer = new ArrayBuffer(2 ** 16);

  /**
   * Opens the shards.
   * @param length tokens of all shards
   * @throws {TapestryError} `pack-damaged`
   */
  constructor(folder: string, side: Side, shape: ShardShape, length: number) {
    this.#folder = folder;
    this.#side = side;
    this.#shape = shape;
    this.length = length;
    for (let shard = 0; shard < Math.ceil(length / shape.shardTokens); shard++) {
      this.#files.push(this.#attempt(shard, () => openSync(this.#locate(shard), 'r')));
    }
  }

  read(start: number, target: Int32Array): void {
    requireRange(start, target.length, this.length);
    const { shardTokens } = this.#shape;
    for (let at = 0; at < target.length; ) {
      const shard = Math.floor((start + at) / shardTokens);
      const first = (start + at) % shardTokens;
      const count = Math.min(target.length - at, shardTokens - first);
      target.set(
        this.#attempt(shard, () => this.#readShard(shard, first, count)),
        at,
      );
      at += count;
    }
  }

  close(): void {
    for (const file of this.#files) {
      closeSync(file);
    }
    this.#files = [];
  }

  #readShard(shard: number, first: number, count: number): Uint8Array | Uint16Array | Uint32Array {
    const { tokenBytes } = this.#shape;
    const size = count * tokenBytes;
    if (this.#scratch.byteLength < size) {
      this.#scratch = new ArrayBuffer(size);
    }
    const bytes = new Uint8Array(this.#scratch, 0, size);
    for (let done = 0; done < size; ) {
      const read = readSync(this.#files[shard]!, bytes, done, size - done, first * tokenBytes + done);
      if (read === 0) {
        throw new Error(`it ends at byte ${first * tokenBytes + done}`);
      }
      done += read;
    }
    return viewTokens(this.#scratch, tokenBytes, count);
  }

  #locate(shard: number): string {
    return join(this.#folder, nameShard(this.#side, shard));
  }

  #attempt<T>(shard: number, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      this.close();
      const path = this.#locate(shard);
      throw new TapestryError(
        'pack-damaged',
        `Cannot read tokens from ${path}: ${(cause as Error).message}.`,
        'Start again: the text is packed anew.',
        { path },
        cause,
      );
    }
  }
}
