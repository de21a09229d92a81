/** A small Parquet writer for tests: one data page a column and row group, strings and 64-bit integers. */
import { gzipSync, zstdCompressSync } from 'node:zlib';

/** A column: texts (null where there is none) or integers. */
export interface ParquetColumn {
  readonly name: string;
  readonly values: readonly (string | null)[] | readonly bigint[];
}

/** How the file is laid out. */
export interface ParquetLayout {
  readonly rowsPerGroup: number;
  readonly codec?: 'none' | 'gzip' | 'zstd';
  /** bytes that every page announces more than it has */
  readonly lie?: number;
}

const codecs = { none: 0, gzip: 2, zstd: 6 } as const;
const [i32, i64, binary, list, struct] = [5, 6, 8, 9, 12];

type Field = readonly [id: number, type: number, value: Uint8Array];

/** The bytes of a Parquet file. */
export function writeParquet(columns: readonly ParquetColumn[], layout: ParquetLayout): Uint8Array {
  const rows = columns[0]!.values.length;
  const parts: Uint8Array[] = [Buffer.from('PAR1')];
  const groups: Uint8Array[] = [];
  for (let first = 0; first < rows; first += layout.rowsPerGroup) {
    const count = Math.min(layout.rowsPerGroup, rows - first);
    const chunks = columns.map(({ name, values }) => {
      const offset = parts.reduce((sum, { length }) => sum + length, 0);
      const { page, plain, isText } = encodePage(values.slice(first, first + count), layout);
      parts.push(page);
      return encodeChunk(name, offset, page.length, plain, count, isText, codecs[layout.codec ?? 'none']);
    });
    groups.push(
      encodeStruct([
        [1, list, encodeList(struct, chunks)],
        [2, i64, zigzag(1)],
        [3, i64, zigzag(count)],
      ]),
    );
  }
  const schema = [
    encodeStruct([
      [4, binary, encodeText('root')],
      [5, i32, zigzag(columns.length)],
    ]),
    ...columns.map(({ name, values }) => encodeElement(name, values)),
  ];
  const footer = encodeStruct([
    [1, i32, zigzag(1)],
    [2, list, encodeList(struct, schema)],
    [3, i64, zigzag(rows)],
    [4, list, encodeList(struct, groups)],
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([...parts, footer, length, Buffer.from('PAR1')]);
}

function encodeElement(name: string, values: ParquetColumn['values']): Uint8Array {
  const isText = typeof values[0] !== 'bigint';
  return encodeStruct([
    [1, i32, zigzag(isText ? 6 : 2)],
    [3, i32, zigzag(isText ? 1 : 0)],
    [4, binary, encodeText(name)],
    ...(isText ? ([[6, i32, zigzag(0)]] as const) : []),
  ]);
}

function encodePage(
  values: ParquetColumn['values'],
  { codec = 'none', lie = 0 }: ParquetLayout,
): { page: Uint8Array; plain: number; isText: boolean } {
  const isText = typeof values[0] !== 'bigint';
  const levels = values.flatMap((value) => [2, value === null ? 0 : 1]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(levels.length);
  const data = values.map((value) => {
    if (typeof value === 'bigint') return Buffer.from(BigInt64Array.of(value).buffer);
    const text = Buffer.from(value ?? '');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    return value === null ? Buffer.alloc(0) : Buffer.concat([length, text]);
  });
  const plain = Buffer.concat(isText ? [size, Buffer.from(levels), ...data] : data);
  const packed = codec === 'gzip' ? gzipSync(plain) : codec === 'zstd' ? zstdCompressSync(plain) : plain;
  const header = encodeStruct([
    [1, i32, zigzag(0)],
    [2, i32, zigzag(plain.length + lie)],
    [3, i32, zigzag(packed.length)],
    [
      5,
      struct,
      encodeStruct([
        [1, i32, zigzag(values.length)],
        [2, i32, zigzag(0)],
        [3, i32, zigzag(3)],
        [4, i32, zigzag(3)],
      ]),
    ],
  ]);
  return { page: Buffer.concat([header, packed]), plain: header.length + plain.length, isText };
}

function encodeChunk(
  name: string,
  offset: number,
  packed: number,
  plain: number,
  values: number,
  isText: boolean,
  codec: number,
): Uint8Array {
  const meta = encodeStruct([
    [1, i32, zigzag(isText ? 6 : 2)],
    [2, list, encodeList(i32, [zigzag(0)])],
    [3, list, encodeList(binary, [encodeText(name)])],
    [4, i32, zigzag(codec)],
    [5, i64, zigzag(values)],
    [6, i64, zigzag(plain)],
    [7, i64, zigzag(packed)],
    [9, i64, zigzag(offset)],
  ]);
  return encodeStruct([
    [2, i64, zigzag(offset)],
    [3, struct, meta],
  ]);
}

/** Thrift's compact protocol. */
function encodeStruct(fields: readonly Field[]): Uint8Array {
  let last = 0;
  const parts = fields.flatMap(([id, type, value]) => {
    const head = Uint8Array.of(((id - last) << 4) | type);
    last = id;
    return [head, value];
  });
  return Buffer.concat([...parts, Uint8Array.of(0)]);
}

function encodeList(type: number, items: readonly Uint8Array[]): Uint8Array {
  const head =
    items.length < 15
      ? [Uint8Array.of((items.length << 4) | type)]
      : [Uint8Array.of(0xf0 | type), varint(items.length)];
  return Buffer.concat([...head, ...items]);
}

function encodeText(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  return Buffer.concat([varint(bytes.length), bytes]);
}

function zigzag(value: number): Uint8Array {
  return varint(value * 2);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.from([...bytes, rest]);
}
