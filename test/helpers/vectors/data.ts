/** How vectors write numbers and bytes down. spec/vectors/README.md */
import { createHash } from 'node:crypto';
import type { ExecutionContext } from 'ava';

/** float32 values: their little-endian bytes in hex, or a generator. */
export type ValueSource =
  | { readonly hex: string }
  | { readonly lcg: { readonly seed: number; readonly length: number } };

/** Bytes that are expected: in hex, or by hash where they are many. */
export type ExpectedBytes = { readonly hex: string } | { readonly sha256: string };

/** Runs one vector of a format. */
export type VectorRunner = (t: ExecutionContext, vector: object) => void;

/** Bytes of hex text. */
export function parseHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** Hex text of bytes. */
export function formatHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The little-endian bytes of float32 values. */
export function toBytes(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    view.setFloat32(index * 4, value, true);
  });
  return bytes;
}

/** float32 values from their little-endian bytes. */
export function fromBytes(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => view.getFloat32(index * 4, true));
}

/** The generator `lcg`: cubes of uniform numbers, so that a few values are much larger than the rest. */
export function generateValues(seed: number, length: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const uniform = ((state >>> 8) - 2 ** 23) / 2 ** 23;
    return uniform * uniform * uniform;
  });
}

/** The generator of byte vectors: byte i is (31·i + 7) mod 251, so that no two leaves are alike. */
export function generateBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (31 * index + 7) % 251);
}

/** The values that a source stands for. */
export function readValues(source: ValueSource): Float32Array {
  return 'hex' in source ? fromBytes(parseHex(source.hex)) : generateValues(source.lcg.seed, source.lcg.length);
}

/** Lower-case hex of the SHA-256 of bytes. */
export function hashHex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Compares bytes with what a vector expects. */
export function assertBytes(t: ExecutionContext, found: Uint8Array, expected: ExpectedBytes): void {
  if ('hex' in expected) t.is(formatHex(found), expected.hex);
  else t.is(hashHex(found), expected.sha256);
}

/** The eight little-endian bytes of a float64 in hex. */
export function formatFloat64(value: number): string {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return formatHex(bytes);
}

/** A float64 from its eight little-endian bytes in hex. */
export function parseFloat64(hex: string): number {
  return new DataView(parseHex(hex).buffer).getFloat64(0, true);
}
