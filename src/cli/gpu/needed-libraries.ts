/**
 * Which libraries a native library asks the loader for, read from the file itself: the names change with the CUDA version
 * that ONNX Runtime's provider was built for. https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html
 */
import { type FileHandle, open } from 'node:fs/promises';

const loadSegment = 1;
const dynamicSegment = 2;
const neededTag = 1n;
const stringTableTag = 5n;
const stringTableSizeTag = 10n;
/** Bounds what a damaged file can make us read. */
const maxTableBytes = 1_048_576;

interface Segment {
  readonly type: number;
  readonly offset: bigint;
  readonly address: bigint;
  readonly size: bigint;
}

/**
 * Names of the needed libraries in the file's order, for example `libcublasLt.so.12`.
 * @returns null if the file is no 64-bit little-endian ELF file with a dynamic section, or ends too early
 */
export async function readNeededLibraries(path: string): Promise<string[] | null> {
  const file = await open(path);
  try {
    return await readFrom(file);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  } finally {
    await file.close();
  }
}

async function readFrom(file: FileHandle): Promise<string[] | null> {
  const header = await readBytes(file, 0n, 64n);
  if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) return null;
  const segments = await readSegments(file, header);
  const dynamic = segments.find(({ type }) => type === dynamicSegment);
  if (dynamic === undefined) return null;
  const entries = await readBytes(file, dynamic.offset, dynamic.size);
  const tags: [tag: bigint, value: bigint][] = [];
  for (let at = 0; at + 16 <= entries.length; at += 16) {
    tags.push([entries.readBigUInt64LE(at), entries.readBigUInt64LE(at + 8)]);
  }
  const getValue = (wanted: bigint): bigint => tags.find(([tag]) => tag === wanted)?.[1] ?? 0n;
  const address = getValue(stringTableTag);
  const place = segments.find(
    (segment) => segment.type === loadSegment && address >= segment.address && address < segment.address + segment.size,
  );
  if (place === undefined) return null;
  const strings = await readBytes(file, address - place.address + place.offset, getValue(stringTableSizeTag));
  return tags.filter(([tag]) => tag === neededTag).map(([, value]) => readName(strings, Number(value)));
}

async function readSegments(file: FileHandle, header: Buffer): Promise<Segment[]> {
  const entrySize = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  const table = await readBytes(file, header.readBigUInt64LE(32), BigInt(entrySize * count));
  return Array.from({ length: count }, (_, index) => ({
    type: table.readUInt32LE(index * entrySize),
    offset: table.readBigUInt64LE(index * entrySize + 8),
    address: table.readBigUInt64LE(index * entrySize + 16),
    size: table.readBigUInt64LE(index * entrySize + 32),
  }));
}

function readName(strings: Buffer, start: number): string {
  const end = strings.indexOf(0, start);
  if (start >= strings.length || end < 0) throw new RangeError('a name lies outside the table of names');
  return strings.toString('latin1', start, end);
}

async function readBytes(file: FileHandle, offset: bigint, length: bigint): Promise<Buffer> {
  if (length > maxTableBytes || offset > Number.MAX_SAFE_INTEGER) throw new RangeError('a table is too large');
  const bytes = Buffer.alloc(Number(length));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, Number(offset));
  if (bytesRead < bytes.length) throw new RangeError('the file ends too early');
  return bytes;
}
