/**
 * Reading the tensors of a safetensors file as float32, a bounded piece at a time, so that neither a file nor a tensor
 * is ever in memory a second time. Values must be finite. spec/checkpoints.md#safetensors
 */
import { type FileHandle, open } from 'node:fs/promises';
import { TapestryError } from '../../protocol/errors.ts';
import { bytesPerValue, decodeFloats, findNotFinite } from './float-formats.ts';
import {
  badTensorFile,
  quoteName,
  readSafetensorsHeader,
  type SafetensorsHeader,
  type StoredTensor,
} from './safetensors-header.ts';

/** Values of one piece: 4 MB. */
const pieceLength = 1 << 20;

/** Takes a piece of a tensor that starts at value `from`; the array is used again afterwards. */
export type TakeValues = (values: Float32Array, from: number) => void;

/** A file that is open for reading. */
export interface SafetensorsFile extends SafetensorsHeader {
  readonly path: string;
  /**
   * Reads a tensor of this file from its first value to its last.
   * @throws {TapestryError} `safetensors-not-finite`, `safetensors-truncated`, `safetensors-unreadable`
   */
  read(tensor: StoredTensor, take: TakeValues): Promise<void>;
}

/**
 * Opens a file, checks its header, and closes it when `use` is done.
 * @throws {TapestryError} `safetensors-unreadable`, and those of `readSafetensorsHeader`
 */
export async function withSafetensors<T>(path: string, use: (file: SafetensorsFile) => Promise<T>): Promise<T> {
  const handle = await open(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const header = await readSafetensorsHeader(handle, path).catch((error: unknown) => {
      throw error instanceof TapestryError ? error : unreadable(path, error);
    });
    return await use({ ...header, path, read: (tensor, take) => readTensor(handle, path, tensor, take) });
  } finally {
    await handle.close();
  }
}

async function readTensor(handle: FileHandle, path: string, tensor: StoredTensor, take: TakeValues): Promise<void> {
  const width = bytesPerValue[tensor.format];
  const room = Math.min(pieceLength, tensor.length);
  const bytes = new Uint8Array(room * width);
  const values = new Float32Array(room);
  for (let from = 0; from < tensor.length; from += room) {
    const count = Math.min(room, tensor.length - from);
    const piece = bytes.subarray(0, count * width);
    await fill(handle, path, piece, tensor.start + from * width);
    const decoded = values.subarray(0, count);
    decodeFloats(tensor.format, piece, decoded);
    const wrong = findNotFinite(decoded);
    if (wrong >= 0) {
      const value = `${decoded[wrong]} at value ${from + wrong}`;
      throw badTensorFile(path, 'not-finite', `finite numbers in tensor ${quoteName(tensor.name)}`, value);
    }
    take(decoded, from);
  }
}

async function fill(handle: FileHandle, path: string, bytes: Uint8Array, start: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done).catch((error: unknown) => {
      throw unreadable(path, error);
    });
    if (bytesRead === 0) {
      throw badTensorFile(path, 'truncated', `at least ${start + bytes.length} bytes`, `${start + done}`);
    }
    done += bytesRead;
  }
}

function unreadable(path: string, cause: unknown): TapestryError {
  return new TapestryError(
    'safetensors-unreadable',
    `${path}: expected a readable file, found ${(cause as NodeJS.ErrnoException).code ?? cause}`,
    'Check that the file is there and that this user may read it.',
    { path },
    cause,
  );
}
