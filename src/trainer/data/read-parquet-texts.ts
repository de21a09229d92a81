/**
 * The documents of a .parquet file: the texts of one column, a row group at a time. spec/data.md#sources
 */
import type { FileHandle } from 'node:fs/promises';
import type { AsyncBuffer, Compressors, FileMetaData, ParquetScan } from 'hyparquet';
import { TapestryError } from '../../protocol/errors.ts';
import { type DocumentPlace, type DocumentText, readBytes, type SourceFile } from './source-file.ts';

/** Most bytes of the text column in one row group, unpacked: it is held in memory as a whole. */
const maxGroupBytes = 2 ** 30;

/**
 * Reads the rows from a place on; rows without text are passed over. The library is imported when a file needs it.
 * @throws {TapestryError} `data-parquet`
 */
export async function* readParquetTexts(
  handle: FileHandle,
  file: SourceFile,
  column: string,
  from: DocumentPlace,
): AsyncGenerator<DocumentText> {
  const { scan, rows } = await openScan(handle, file, column);
  let { document } = from;
  for (const range of scan.ranges) {
    if (range.rowEnd <= from.cursor) {
      continue;
    }
    const texts = await describeFailure(file.path, () => scan.readColumn({ column, ...range }));
    const expected = range.rowEnd - range.rowStart;
    if (texts.length !== expected) {
      throw broken(
        file.path,
        `rows ${range.rowStart} to ${range.rowEnd - 1}: ${expected} are announced, ${texts.length} are there`,
      );
    }
    for (let row = Math.max(range.rowStart, from.cursor); row < range.rowEnd; row++) {
      const text: unknown = texts[row - range.rowStart];
      if (text !== null && text !== undefined && !(text instanceof Uint8Array)) {
        throw broken(file.path, `row ${row}: text is expected in the column "${column}"`);
      }
      if (text !== null && text !== undefined && text.length > 0) {
        yield {
          place: { document, cursor: row, line: 0 },
          text,
          readBytes: Math.floor((file.size * (row + 1)) / rows),
        };
        document += 1;
      }
    }
  }
}

async function openScan(
  handle: FileHandle,
  file: SourceFile,
  column: string,
): Promise<{ scan: ParquetScan; rows: number }> {
  const { parquetMetadataAsync, parquetScan } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  const buffer = createBuffer(handle, file);
  return describeFailure(file.path, async () => {
    const metadata = await parquetMetadataAsync(buffer);
    const mostBytes = checkColumn(file, metadata, column);
    const scan = await parquetScan({
      file: buffer,
      metadata,
      columns: [column],
      compressors: boundCompressors(compressors, mostBytes),
      utf8: false,
      // The bytes themselves: nothing is decoded and encoded again.
      parsers: { stringFromBytes: (bytes) => bytes },
    });
    return { scan, rows: Number(metadata.num_rows) };
  });
}

/** The file as the library reads it; nothing outside of the file is ever allocated. */
function createBuffer(handle: FileHandle, { path, size }: SourceFile): AsyncBuffer {
  const read = async (start: number, end: number): Promise<ArrayBuffer> => {
    if (!(start >= 0 && start <= end && end <= size)) {
      throw new RangeError(`bytes ${start} to ${end} of ${size} are referred to`);
    }
    const bytes = await readBytes(handle, path, start, end - start);
    return bytes.buffer as ArrayBuffer;
  };
  return {
    byteLength: size,
    slice(start, end = size) {
      const bytes = read(start, end);
      // The library reads ahead: a failure it never comes to ask for must not end the process.
      bytes.catch(() => {});
      return bytes;
    },
  };
}

/** @returns unpacked bytes of the column's largest row group */
function checkColumn({ path }: SourceFile, metadata: FileMetaData, column: string): number {
  const [root, ...elements] = metadata.schema;
  const names = elements.map((element) => element.name);
  const element = elements.find(({ name }) => name === column);
  if (root === undefined || element === undefined) {
    throw broken(path, `there is no column "${column}" among ${names.join(', ')}`, 'Name the column with --field.');
  }
  if (element.type !== 'BYTE_ARRAY' || element.repetition_type === 'REPEATED') {
    const found = element.type ?? 'a group of columns';
    throw broken(path, `the column "${column}" holds ${found}, not text`, 'Name the column with --field.');
  }
  let most = 0;
  for (const [group, { columns }] of metadata.row_groups.entries()) {
    const size = columns.find(({ meta_data: meta }) => meta?.path_in_schema[0] === column)?.meta_data
      ?.total_uncompressed_size;
    if (size === undefined || size < 0n || size > maxGroupBytes) {
      throw broken(
        path,
        `row group ${group} has ${size ?? 'no'} bytes in the column "${column}"; at most ${maxGroupBytes} are read at once`,
        'Write the file again with smaller row groups.',
      );
    }
    most = Math.max(most, Number(size));
  }
  return most;
}

/** A damaged page may announce any size: it cannot be larger than its row group. */
function boundCompressors(compressors: Compressors, mostBytes: number): Compressors {
  return Object.fromEntries(
    Object.entries(compressors).map(([codec, unpack]) => [
      codec,
      (input: Uint8Array, length: number): Uint8Array => {
        if (!(length >= 0 && length <= mostBytes)) {
          throw new RangeError(`a page announces ${length} bytes`);
        }
        return unpack(input, length);
      },
    ]),
  );
}

async function describeFailure<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof TapestryError) {
      throw cause;
    }
    throw broken(path, (cause as Error).message, 'Make or download the file again.', cause);
  }
}

function broken(
  path: string,
  found: string,
  remedy = 'Make or download the file again.',
  cause?: unknown,
): TapestryError {
  return new TapestryError(
    'data-parquet',
    `Cannot read Parquet from ${path}: ${found}.`,
    remedy,
    { file: path },
    cause,
  );
}
