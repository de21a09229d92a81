/**
 * One stream of bytes from many documents, and a part kept aside to validate with. spec/trainer.md#data
 */
import { createHash } from 'node:crypto';

const blockLength = 4096;
const validationShare = 20;

/** Two streams that share no block. */
export interface SplitText {
  readonly training: Uint8Array;
  /** empty when there is only one block */
  readonly validation: Uint8Array;
}

/** Documents one after the other, each followed by a zero byte. */
export function joinDocuments(documents: readonly Uint8Array[]): Uint8Array {
  const separator = new Uint8Array(1);
  return Buffer.concat(documents.flatMap((document) => [document, separator]));
}

/**
 * Cuts documents into blocks of 4096 bytes and keeps every 20th aside, by the hash of its bytes: equal blocks land on
 * the same side, and adding text moves no block from one side to the other. Where that picks none, the block with the
 * lowest hash is kept aside.
 */
export function splitDocuments(documents: readonly Uint8Array[]): SplitText {
  const blocks = documents.flatMap((document, index) =>
    Array.from({ length: Math.ceil(document.length / blockLength) }, (_, at) => {
      const bytes = document.subarray(at * blockLength, (at + 1) * blockLength);
      return { document: index, bytes, hash: createHash('sha256').update(bytes).digest() };
    }),
  );
  const lowest = blocks.reduce((low, block) => (Buffer.compare(block.hash, low.hash) < 0 ? block : low), blocks[0]!);
  const isDrawn = (hash: Buffer): boolean => hash.readUInt32BE(0) % validationShare === 0;
  const fallback = blocks.some((block) => isDrawn(block.hash)) ? null : lowest.hash;
  const isValidation = (hash: Buffer): boolean => isDrawn(hash) || fallback?.equals(hash) === true;
  if (blocks.every((block) => isValidation(block.hash))) {
    return { training: joinDocuments(documents), validation: new Uint8Array() };
  }
  const collect = (wanted: boolean): Uint8Array => {
    const runs: Uint8Array[][] = [];
    let previous = -2;
    for (const [at, block] of blocks.entries()) {
      if (isValidation(block.hash) !== wanted) {
        continue;
      }
      // Neighbours in a document stay together; where a block was taken out the text does not run on.
      if (previous === at - 1 && blocks[previous]!.document === block.document) {
        runs.at(-1)!.push(block.bytes);
      } else {
        runs.push([block.bytes]);
      }
      previous = at;
    }
    return joinDocuments(runs.map((run) => Buffer.concat(run)));
  };
  return { training: collect(false), validation: collect(true) };
}
