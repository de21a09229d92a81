/**
 * Which ids a pass of tokens touches, for the embedding gradient on CUDA (`graph/embedding.ts`). Pure.
 * spec/devices.md#embedding-gradient
 * N = tokens of one pass, V = vocabulary size
 */

/**
 * N different ids: first those among the tokens, ascending, then the least others, ascending, to fill up.
 * @param tokens [N], each 0 to V − 1, N ≤ V
 * @returns `ids` [N], and `ranks` [N] with ids[ranks[n]] = tokens[n]
 * @throws {RangeError} if there are more tokens than ids, or one is no id
 */
export function computeDistinctIds(
  tokens: Int32Array,
  vocabSize: number,
): { readonly ids: Int32Array; readonly ranks: Int32Array } {
  const { length } = tokens;
  if (length > vocabSize) {
    throw new RangeError(`${length} tokens have no ${length} different ids among ${vocabSize}`);
  }
  const used = new Uint8Array(vocabSize);
  for (const token of tokens) {
    if (token < 0 || token >= vocabSize) {
      throw new RangeError(`token ${token} is not from 0 to ${vocabSize - 1}`);
    }
    used[token] = 1;
  }
  const ids = new Int32Array(length);
  const places = new Int32Array(vocabSize);
  let count = 0;
  for (const wanted of [1, 0]) {
    for (let id = 0; id < vocabSize && count < length; id++) {
      if (used[id] === wanted) {
        places[id] = count;
        ids[count++] = id;
      }
    }
  }
  return { ids, ranks: tokens.map((token) => places[token]!) };
}

/**
 * The same for many passes at once: the inputs `ids` and `ranks` of the training graph.
 * @param tokens [P, B, T + 1] for P passes; the last token of a sequence is only predicted, so it does not count
 * @returns two lists of [P, N], N = B·T
 * @throws {RangeError} as `computeDistinctIds`
 */
export function computeDistinctInputs(
  tokens: Int32Array,
  { batchSize, sequenceLength }: { readonly batchSize: number; readonly sequenceLength: number },
  vocabSize: number,
): { readonly ids: Int32Array; readonly ranks: Int32Array } {
  const width = sequenceLength + 1;
  const read = tokens.filter((_, place) => place % width < sequenceLength);
  const rows = batchSize * sequenceLength;
  const ids = new Int32Array(read.length);
  const ranks = new Int32Array(read.length);
  for (let start = 0; start < read.length; start += rows) {
    const pass = computeDistinctIds(read.subarray(start, start + rows), vocabSize);
    ids.set(pass.ids, start);
    ranks.set(pass.ranks, start);
  }
  return { ids, ranks };
}
