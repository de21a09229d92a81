/**
 * The few protobuf wire types that an ONNX file needs, and nothing that reads them.
 * https://protobuf.dev/programming-guides/encoding/
 */

const varintType = 0;
const bytesType = 2;
const fixed32Type = 5;

/** Writes one protobuf message; nested messages are written into a writer of their own and added as bytes. */
export class ProtobufWriter {
  readonly #parts: Uint8Array[] = [];

  /** A whole number, 0 or greater up to 2^53 − 1, or negative (then as a ten-byte two's complement). */
  int(field: number, value: number): this {
    return this.#key(field, varintType).#varint(BigInt(value));
  }

  /** A 32-bit float. */
  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#key(field, fixed32Type).#parts.push(bytes);
    return this;
  }

  /** Bytes, a string in UTF-8, or a nested message. */
  bytes(field: number, value: Uint8Array | string | ProtobufWriter): this {
    const bytes = value instanceof ProtobufWriter ? value.finish() : Buffer.from(value as string);
    this.#key(field, bytesType).#varint(BigInt(bytes.length)).#parts.push(bytes);
    return this;
  }

  /** The message so far. */
  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }

  #key(field: number, type: number): this {
    return this.#varint(BigInt(field * 8 + type));
  }

  #varint(value: bigint): this {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, value);
    while (rest >= 128n) {
      bytes.push(Number(rest & 127n) + 128);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    this.#parts.push(Uint8Array.from(bytes));
    return this;
  }
}
