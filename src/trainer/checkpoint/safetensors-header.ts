/**
 * The header of a safetensors file: reading it strictly, and making one. No numbers are read here.
 * The format: https://github.com/huggingface/safetensors#format. What is refused: spec/checkpoints.md#safetensors
 */
import type { FileHandle } from 'node:fs/promises';
import { TapestryError } from '../../protocol/errors.ts';
import { bytesPerValue, type FloatFormat } from './float-formats.ts';

/** Longest header that the format allows. */
export const maxHeaderBytes = 100_000_000;

/** One tensor of a file. */
export interface StoredTensor {
  readonly name: string;
  readonly format: FloatFormat;
  readonly shape: readonly number[];
  /** first byte in the file */
  readonly start: number;
  /** values, not bytes */
  readonly length: number;
}

/** What a file says it holds, checked against its size. */
export interface SafetensorsHeader {
  readonly tensors: readonly StoredTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A name from a file as it may stand in a message: quoted, without control characters, not endless. */
export function quoteName(name: unknown): string {
  const text = JSON.stringify(name) ?? 'nothing';
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

const remedies: Readonly<Record<string, string>> = {
  dtype: 'Save the model in float32, bfloat16 or float16; integer and quantised weights cannot be trained on.',
  'not-finite': 'Use another checkpoint: with these weights every result would be NaN.',
};

/** The error of a file that is not what it should be; `kind` completes the code `safetensors-…`. */
export function badTensorFile(path: string, kind: string, expected: string, found: string): TapestryError {
  return new TapestryError(
    `safetensors-${kind}`,
    `${path}: expected ${expected}, found ${found}`,
    remedies[kind] ?? 'Download or export the file again: this one is damaged.',
    { path, expected, found },
  );
}

/**
 * Reads and checks the header: every byte after it belongs to exactly one tensor.
 * @throws {TapestryError} `safetensors-truncated`, `-header`, `-duplicate`, `-dtype`, `-size`, `-overlap`, `-hole`, `-trailing`
 */
export async function readSafetensorsHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  if (size < 8) {
    throw badTensorFile(path, 'truncated', 'at least 8 bytes', `${size}`);
  }
  const length = new DataView((await readBytes(file, path, 0, 8)).buffer).getBigUint64(0, true);
  if (length > maxHeaderBytes) {
    throw badTensorFile(path, 'header', `a header of at most ${maxHeaderBytes} bytes`, `one that claims ${length}`);
  }
  const headerBytes = Number(length);
  if (headerBytes > size - 8) {
    throw badTensorFile(path, 'header', `a header within the file of ${size} bytes`, `one that claims ${headerBytes}`);
  }
  const entries = parseHeader(await readBytes(file, path, 8, headerBytes), path);
  const metadata = readMetadata(entries.get('__metadata__'), path);
  entries.delete('__metadata__');
  const tensors = [...entries].map(([name, entry]) => readEntry(name, entry, path));
  checkCoverage(tensors, size - 8 - headerBytes, path);
  const tensorsInFile = tensors.map(({ begin, end: _end, ...rest }) => ({ ...rest, start: 8 + headerBytes + begin }));
  return { tensors: tensorsInFile, metadata };
}

/** The length, the header and its padding: what stands before the bytes of `tensors`, which follow without gaps. */
export function encodeSafetensorsHeader(
  tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly length: number }[],
  format: FloatFormat,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const { name, shape, length } of tensors) {
    const end = offset + length * bytesPerValue[format];
    header[name] = { dtype: format, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  return bytes;
}

/** Bytes that must be there: whoever asks has compared with the size of the file. */
async function readBytes(file: FileHandle, path: string, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, start + done);
    if (bytesRead === 0) {
      throw badTensorFile(path, 'truncated', `${length} bytes from byte ${start} on`, `${done}`);
    }
    done += bytesRead;
  }
  return bytes;
}

function parseHeader(bytes: Uint8Array, path: string): Map<string, unknown> {
  const expected = 'a header that is a JSON object';
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (error) {
    throw badTensorFile(path, 'header', expected, (error as Error).message);
  }
  if (!isRecord(value)) {
    throw badTensorFile(path, 'header', expected, quoteName(value));
  }
  const entries = new Map(Object.entries(value));
  const twice = findRepeatedKey(text);
  if (twice !== null) {
    throw badTensorFile(path, 'duplicate', 'every name once in the header', `${quoteName(twice)} twice`);
  }
  return entries;
}

/** The first key of the outermost object that stands there twice, or null; `JSON.parse` keeps the last one silently. */
function findRepeatedKey(json: string): string | null {
  const seen = new Set<string>();
  let depth = 0;
  for (const [token, colon] of json.matchAll(/[{}[\]]|"(?:[^"\\]|\\.)*"(\s*:)?/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && colon !== undefined) {
      const key = JSON.parse(token.slice(0, token.length - colon.length)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return null;
}

function readMetadata(value: unknown, path: string): Record<string, string> {
  if (value === undefined) return {};
  if (isRecord(value) && Object.values(value).every((text) => typeof text === 'string')) {
    return value as Record<string, string>;
  }
  throw badTensorFile(path, 'header', 'a "__metadata__" of texts', quoteName(value));
}

interface Entry {
  readonly name: string;
  readonly format: FloatFormat;
  readonly shape: readonly number[];
  readonly length: number;
  /** offsets in bytes after the header */
  readonly begin: number;
  readonly end: number;
}

function readEntry(name: string, value: unknown, path: string): Entry {
  const entry: Record<string, unknown> = isRecord(value) ? value : {};
  const { dtype, shape, data_offsets: offsets } = entry;
  const tensor = `tensor ${quoteName(name)}`;
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2 || typeof dtype !== 'string') {
    throw badTensorFile(path, 'header', `${tensor} with dtype, shape and data_offsets`, quoteName(value));
  }
  if (!Object.hasOwn(bytesPerValue, dtype)) {
    throw badTensorFile(path, 'dtype', `${tensor} in F32, BF16 or F16`, `dtype ${quoteName(dtype)}`);
  }
  const format = dtype as FloatFormat;
  const length = shape.reduce((product, size) => product * size, 1);
  const [begin, end] = offsets as [number, number];
  if (end - begin !== length * bytesPerValue[format]) {
    const expected = `${tensor} of ${dtype} [${shape.join(', ')}] in ${length * bytesPerValue[format]} bytes`;
    throw badTensorFile(path, 'size', expected, `data_offsets [${begin}, ${end}]`);
  }
  return { name, format, shape, length, begin, end };
}

/** Sorted by place, the tensors must cover all `dataBytes` once. */
function checkCoverage(tensors: Entry[], dataBytes: number, path: string): void {
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of tensors) {
    const tensor = `tensor ${quoteName(name)}`;
    if (begin !== covered) {
      const kind = begin < covered ? 'overlap' : 'hole';
      throw badTensorFile(path, kind, `${tensor} from byte ${covered} on, where the one before ends`, `byte ${begin}`);
    }
    if (end > dataBytes) {
      const found = `${dataBytes}: the file is cut off, or the offset is wrong`;
      throw badTensorFile(path, 'truncated', `${end} bytes of data for ${tensor}`, found);
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    throw badTensorFile(path, 'trailing', `${covered} bytes of data, which the tensors need`, `${dataBytes}`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
}
