/**
 * Token ids into shards of bounded size: raw little-endian integers, nothing around them. spec/data.md#packs
 */
import { join } from 'node:path';
import { AppendFile } from './append-file.ts';
import type { Side } from './block-splitter.ts';
import { nameShard } from './pack-record.ts';

/** How a token is laid out, and how many a shard takes. */
export interface ShardShape {
  readonly tokenBytes: 1 | 2 | 4;
  readonly shardTokens: number;
}

/** Typed arrays of this machine; the trainer refuses processors that are not little-endian. */
const layouts = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array } as const;

/** Appends tokens to the shards of one side. */
export class ShardWriter {
  readonly #folder: string;
  readonly #side: Side;
  readonly #shape: ShardShape;
  #length: number;
  #shard: AppendFile | null = null;

  /** @param length tokens that the shards hold already; the files have exactly these */
  constructor(folder: string, side: Side, shape: ShardShape, length: number) {
    this.#folder = folder;
    this.#side = side;
    this.#shape = shape;
    this.#length = length;
  }

  /** Tokens of this side in all. */
  get length(): number {
    return this.#length;
  }

  /** @param tokens ids below the vocabulary size */
  append(tokens: ArrayLike<number>): void {
    const { tokenBytes, shardTokens } = this.#shape;
    const values = new layouts[tokenBytes](tokens);
    for (let at = 0; at < values.length; ) {
      const free = shardTokens - (this.#length % shardTokens);
      const part = values.subarray(at, at + free);
      this.#shard ??= new AppendFile(join(this.#folder, nameShard(this.#side, Math.floor(this.#length / shardTokens))));
      this.#shard.append(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      this.#length += part.length;
      at += part.length;
      if (this.#length % shardTokens === 0) {
        this.sync();
        this.close();
      }
    }
  }

  /** Everything that was appended is on the disk when this returns. */
  sync(): void {
    this.#shard?.sync();
  }

  /** Gives the file back; twice is fine. */
  close(): void {
    this.#shard?.close();
    this.#shard = null;
  }
}

/** Reads `count` tokens as they lie in a shard. @param bytes a multiple of the token's size, aligned to it */
export function viewTokens(
  bytes: ArrayBuffer,
  tokenBytes: 1 | 2 | 4,
  count: number,
): Uint8Array | Uint16Array | Uint32Array {
  return new layouts[tokenBytes](bytes, 0, count);
}
