/** A file that only grows, behind a small buffer; durable after `sync`. spec/data.md#packs */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { TapestryError } from '../../protocol/errors.ts';

const bufferBytes = 2 ** 18;

/** Appends to a file, which is made when it is missing. */
export class AppendFile {
  readonly #path: string;
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #file: number | null;
  #held = 0;

  constructor(path: string) {
    this.#path = path;
    this.#file = this.#attempt(() => openSync(path, 'a', 0o600));
  }

  /** Takes over a copy of the bytes. */
  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + bufferBytes - this.#held);
      this.#buffer.set(part, this.#held);
      this.#held += part.length;
      at += part.length;
      if (this.#held === bufferBytes) {
        this.#write();
      }
    }
  }

  /** Everything that was appended is on the disk when this returns. */
  sync(): void {
    this.#write();
    this.#attempt(() => fsyncSync(this.#open));
  }

  /** Gives the file back; what is still in the buffer is dropped. Twice is fine. */
  close(): void {
    if (this.#file !== null) {
      closeSync(this.#file);
      this.#file = null;
    }
  }

  get #open(): number {
    if (this.#file === null) {
      throw new Error(`${this.#path} is closed`);
    }
    return this.#file;
  }

  #write(): void {
    for (let at = 0; at < this.#held; ) {
      at += this.#attempt(() => writeSync(this.#open, this.#buffer, at, this.#held - at));
    }
    this.#held = 0;
  }

  #attempt<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw new TapestryError(
        'pack-write',
        `Cannot write ${this.#path}: ${(cause as Error).message}.`,
        'Free disk space or correct the rights of the folder, then start again: it goes on where it was.',
        { path: this.#path },
        cause,
      );
    }
  }
}
