/** Bytes as text and in order: what maps are keyed by and lists are sorted by. */

/** Lower-case hex of any length. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/**
 * Bytes of a lower-case hex text.
 * @throws {TypeError} if the text is not an even number of hex digits
 */
export function fromHex(hex: string): Uint8Array {
  if (hex.length % 2 !== 0 || !/^[0-9a-f]*$/.test(hex)) {
    throw new TypeError(`expected an even number of lower-case hex digits, found "${hex.slice(0, 16)}"`);
  }
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** True for exactly `bytes` bytes (32 unless told) of lower-case hex. */
export function isHex(text: unknown, bytes = 32): text is string {
  return typeof text === 'string' && text.length === 2 * bytes && /^[0-9a-f]+$/.test(text);
}

/** Order of two strings by code unit: the order of hex texts is the order of their bytes. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** True if both hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
