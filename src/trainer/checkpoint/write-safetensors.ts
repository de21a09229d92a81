/**
 * Writing float32 tensors as a safetensors file, in F32 or rounded to BF16, a bounded piece at a time. The file appears
 * whole or not at all. spec/checkpoints.md#safetensors
 */
import { open, rename, rm } from 'node:fs/promises';
import { TapestryError } from '../../protocol/errors.ts';
import { encodeBfloat16, findNotFinite } from './float-formats.ts';
import { encodeSafetensorsHeader, quoteName } from './safetensors-header.ts';

/** Values of one piece: 4 MB. */
const pieceLength = 1 << 20;

/** Formats that are written. */
export type WrittenFormat = 'F32' | 'BF16';

/** A tensor to write: row-major, finite. */
export interface TensorToWrite {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/**
 * Writes tensors in the given order.
 * @throws {TapestryError} `weights-not-finite`, `weights-too-large` (for BF16); what the disk says is thrown as it is
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  format: WrittenFormat,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  const slots = tensors.map(({ name, shape, values }) => ({ name, shape, length: values.length }));
  const temporary = `${path}.tmp`;
  try {
    const file = await open(temporary, 'w', 0o644);
    try {
      await file.writeFile(encodeSafetensorsHeader(slots, format, metadata));
      for (const tensor of tensors) await file.writeFile(encodePieces(tensor, format));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The bytes of a tensor, piece by piece; each is used up before the next is made. */
function* encodePieces({ name, values }: TensorToWrite, format: WrittenFormat): Generator<Uint8Array> {
  const buffer = new Uint8Array(format === 'F32' ? 0 : 2 * Math.min(pieceLength, values.length));
  for (let from = 0; from < values.length; from += pieceLength) {
    const piece = values.subarray(from, from + pieceLength);
    const wrong = findNotFinite(piece);
    if (wrong >= 0) {
      const found = `${piece[wrong]} at value ${from + wrong}`;
      throw badWeights('weights-not-finite', name, 'finite numbers', found);
    }
    if (format === 'F32') {
      yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
      continue;
    }
    const tooLarge = encodeBfloat16(piece, buffer);
    if (tooLarge >= 0) {
      const found = `${piece[tooLarge]} at value ${from + tooLarge}`;
      throw badWeights('weights-too-large', name, 'numbers within the range of bf16', found);
    }
    yield buffer.subarray(0, 2 * piece.length);
  }
}

function badWeights(code: string, name: string, expected: string, found: string): TapestryError {
  return new TapestryError(
    code,
    `tensor ${quoteName(name)}: expected ${expected}, found ${found}`,
    code === 'weights-too-large'
      ? 'Write it as float32: leave out --dtype bf16.'
      : 'The training has diverged: go back to an earlier checkpoint, with a lower learning rate.',
    { tensor: name, expected, found },
  );
}
