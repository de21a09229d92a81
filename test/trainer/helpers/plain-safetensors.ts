/**
 * Safetensors once more, short and independent of the code under test: files from any header and bytes, and a reader
 * that believes what it reads.
 */
import { readFile, writeFile } from 'node:fs/promises';

/** An entry of a header. */
export interface PlainEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** Bytes of a file with this header (an object, or text that need not be JSON) and this data. */
export function makeSafetensors(header: unknown, data: Uint8Array, claimedLength?: bigint): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimedLength ?? BigInt(text.length));
  return Buffer.concat([length, text, data]);
}

/** Reads the float32 tensors of a file. */
export async function readPlainSafetensors(path: string): Promise<Map<string, { shape: number[]; values: number[] }>> {
  const bytes = await readFile(path);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  const tensors = new Map<string, { shape: number[]; values: number[] }>();
  for (const [name, entry] of Object.entries<PlainEntry>(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets;
    const values: number[] = [];
    for (let at = 8 + length + begin; at < 8 + length + end; at += 4) values.push(bytes.readFloatLE(at));
    tensors.set(name, { shape: entry.shape, values });
  }
  return tensors;
}

/** Reads the header of a file, lets a change be made to it, and writes the file again with the same data. */
export async function changeHeader(path: string, change: (header: Record<string, PlainEntry>) => void): Promise<void> {
  const bytes = await readFile(path);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  change(header);
  await writeFile(path, makeSafetensors(header, bytes.subarray(8 + length)));
}
