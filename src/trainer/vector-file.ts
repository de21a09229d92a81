/**
 * Large vectors as files: raw float32, little-endian, nothing around them. Written under a temporary name, synced and
 * renamed, so that a file under its own name is always whole. spec/trainer.md#files
 *
 * N = parameters
 */
import { mkdir, open, rename } from 'node:fs/promises';
import { endianness } from 'node:os';
import { dirname } from 'node:path';
import { TapestryError } from '../protocol/errors.ts';
import { syncFolder } from './sync-folder.ts';

const maxReadBytes = 2 ** 30;

/** Adam's state between rounds. */
export interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** steps since the moments were zero */
  readonly adamStep: number;
}

/** Reads a vector of exactly `length` floats. */
export async function readVector(path: string, length: number): Promise<Float32Array> {
  return new Float32Array(await readExactly(path, length * 4));
}

/** Writes a vector. */
export async function writeVector(path: string, values: Float32Array): Promise<void> {
  await writeWhole(path, [asBytes(values)]);
}

/** Reads moments of N parameters: first moments, second moments, and the step counter as one float64. */
export async function readMoments(path: string, length: number): Promise<Moments> {
  const buffer = await readExactly(path, length * 8 + 8);
  const adamStep = new DataView(buffer).getFloat64(length * 8, true);
  if (!Number.isSafeInteger(adamStep) || adamStep < 0) {
    throw badFile(path, `a step counter of ${adamStep}`);
  }
  return {
    first: new Float32Array(buffer, 0, length),
    second: new Float32Array(buffer, length * 4, length),
    adamStep,
  };
}

/** Writes moments, in the order in which `readMoments` reads them. */
export async function writeMoments(path: string, moments: Moments): Promise<void> {
  const counter = new DataView(new ArrayBuffer(8));
  counter.setFloat64(0, moments.adamStep, true);
  await writeWhole(path, [asBytes(moments.first), asBytes(moments.second), new Uint8Array(counter.buffer)]);
}

/** The bytes of a vector, in place. */
export function asBytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/**
 * Reads a file that must have exactly `size` bytes.
 * @throws {TapestryError} `trainer-file` when it is missing, or of another size
 */
export async function readExactly(path: string, size: number): Promise<ArrayBuffer> {
  requireLittleEndian();
  const file = await open(path).catch((cause: Error) => {
    throw badFile(path, cause.message, cause);
  });
  try {
    const found = (await file.stat()).size;
    if (found !== size) {
      throw badFile(path, `${found} bytes where ${size} were expected`);
    }
    const bytes = new Uint8Array(size);
    for (let offset = 0; offset < size; ) {
      const { bytesRead } = await file.read(bytes, offset, Math.min(size - offset, maxReadBytes), offset);
      if (bytesRead === 0) {
        throw badFile(path, `only ${offset} of ${size} bytes`);
      }
      offset += bytesRead;
    }
    return bytes.buffer;
  } finally {
    await file.close();
  }
}

/**
 * Writes parts one after the other into a file that appears whole or not at all.
 * @throws {TapestryError} `trainer-write` when the disk refuses
 */
export async function writeWhole(path: string, parts: readonly Uint8Array[]): Promise<void> {
  requireLittleEndian();
  const temporary = `${path}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'w', 0o600);
    try {
      for (const part of parts) {
        await file.writeFile(part);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    throw new TapestryError(
      'trainer-write',
      `Cannot write ${path}: ${(cause as Error).message}.`,
      'Free disk space or correct the rights of the folder, then start again; nothing that was there is lost.',
      { path },
      cause,
    );
  }
}

function badFile(path: string, found: string, cause?: unknown): TapestryError {
  return new TapestryError(
    'trainer-file',
    `The trainer cannot use ${path}: ${found}.`,
    'Restart the peer: it fetches or rebuilds state that is missing or damaged.',
    { path },
    cause,
  );
}

function requireLittleEndian(): void {
  if (endianness() !== 'LE') {
    throw new TapestryError('big-endian', 'This processor is big-endian.', 'Run the peer on x86-64 or arm64.');
  }
}
