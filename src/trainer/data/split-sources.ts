/**
 * All files through one splitter: the loop that packing and counting share. It can stop before any piece and go on
 * there. spec/data.md#split
 */
import { BlockSplitter, type SeenBlocks, type Side, type SplitRule } from './block-splitter.ts';
import { firstPiece, readPieces } from './read-pieces.ts';
import type { DocumentPlace, SourceFile } from './source-file.ts';

/** A place between two pieces, and what came before it. */
export interface SplitProgress {
  /** index of the file */
  readonly source: number;
  readonly place: DocumentPlace;
  /** true when `place` is a document of which a piece was read already */
  readonly begun: boolean;
  /** bytes of the document that were handed on */
  readonly emitted: number;
  readonly seen: SeenBlocks;
}

/** Who takes the text; `source` is the index of the file. */
export interface SplitHandler {
  onDocument(source: number, place: DocumentPlace): void;
  onText(source: number, side: Side, text: Uint8Array): void;
  onRunEnd(source: number, side: Side): void;
  /**
   * Comes before every piece: all that was handed on so far is everything before `progress`. Throwing ends it all.
   * @param readBytes of the files, for progress
   */
  beforePiece(progress: SplitProgress, readBytes: number): Promise<void>;
}

/** What is split, and how. */
export interface SplitRequest {
  readonly files: readonly SourceFile[];
  readonly textField: string;
  readonly rule: SplitRule;
  readonly pieceBytes?: number;
  /** null: the beginning */
  readonly from: SplitProgress | null;
}

/**
 * Hands on all text from a place on.
 * @returns what was seen of all blocks: `findNextRule` says whether it must be done again
 * @throws {TapestryError} `data-line`, `data-parquet`, `data-changed`
 */
export async function splitSources(request: SplitRequest, handler: SplitHandler): Promise<SeenBlocks> {
  const { files, textField, rule, pieceBytes, from } = request;
  let source = from?.source ?? 0;
  let begun = from?.begun ?? false;
  let readBefore = files.slice(0, source).reduce((sum, { size }) => sum + size, 0);
  const splitter = new BlockSplitter(
    rule,
    {
      onText: (side, text) => handler.onText(source, side, text),
      onRunEnd: (side) => handler.onRunEnd(source, side),
    },
    from?.seen,
    from?.emitted,
  );
  let start = from === null ? firstPiece : { place: from.place, offset: from.emitted };
  for (; source < files.length; source++) {
    const file = files[source]!;
    for await (const piece of readPieces(file, textField, start, pieceBytes)) {
      const { place } = piece;
      const progress = { source, place, begun, emitted: splitter.emitted, seen: splitter.seen };
      await handler.beforePiece(progress, readBefore + piece.readBytes);
      if (!begun) {
        handler.onDocument(source, place);
      }
      splitter.push(piece.bytes);
      if (piece.last) {
        splitter.end();
      }
      begun = !piece.last;
    }
    readBefore += file.size;
    start = firstPiece;
  }
  return splitter.seen;
}
