/**
 * The operators of the decoder and their derivatives, worked out by hand, as loops over doubles. Written to be read
 * next to the formulas, and independent of `src/trainer`: no graph, no tape, no runtime. Speed is no aim.
 *
 * All matrices are row-major. N = rows (batch × tokens), D = width, B = batch, T = tokens, d = width of a head
 */

/** y[n, o] = Σ_i x[n, i]·w[o, i] */
export function linear(x: Float64Array, w: Float64Array, inputs: number): Float64Array {
  const rows = x.length / inputs;
  const outputs = w.length / inputs;
  const y = new Float64Array(rows * outputs);
  for (let n = 0; n < rows; n++) {
    for (let o = 0; o < outputs; o++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += x[n * inputs + i]! * w[o * inputs + i]!;
      y[n * outputs + o] = sum;
    }
  }
  return y;
}

/** Returns dx[n, i] = Σ_o dy[n, o]·w[o, i], and adds Σ_n dy[n, o]·x[n, i] to dw[o, i]. */
export function linearBackward(
  dy: Float64Array,
  x: Float64Array,
  w: Float64Array,
  dw: Float64Array,
  inputs: number,
): Float64Array {
  const rows = x.length / inputs;
  const outputs = w.length / inputs;
  const dx = new Float64Array(x.length);
  for (let n = 0; n < rows; n++) {
    for (let o = 0; o < outputs; o++) {
      const slope = dy[n * outputs + o]!;
      for (let i = 0; i < inputs; i++) {
        dx[n * inputs + i]! += slope * w[o * inputs + i]!;
        dw[o * inputs + i]! += slope * x[n * inputs + i]!;
      }
    }
  }
  return dx;
}

/** y[n, i] = w[i]·x[n, i] / √(mean_i x[n, i]² + epsilon) */
export function rmsNorm(x: Float64Array, w: Float64Array, epsilon: number): Float64Array {
  const width = w.length;
  const y = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    const inverse = inverseRoot(x, start, width, epsilon);
    for (let i = 0; i < width; i++) y[start + i] = w[i]! * x[start + i]! * inverse;
  }
  return y;
}

/** With r = 1 / √(mean x² + epsilon): dx[i] = r·w[i]·dy[i] − x[i]·r³·Σ_j w[j]·dy[j]·x[j] / D; adds dy·x·r to dw. */
export function rmsNormBackward(
  dy: Float64Array,
  x: Float64Array,
  w: Float64Array,
  dw: Float64Array,
  epsilon: number,
): Float64Array {
  const width = w.length;
  const dx = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    const inverse = inverseRoot(x, start, width, epsilon);
    let projection = 0;
    for (let i = 0; i < width; i++) projection += w[i]! * dy[start + i]! * x[start + i]!;
    const pull = (projection * inverse ** 3) / width;
    for (let i = 0; i < width; i++) {
      dx[start + i] = inverse * w[i]! * dy[start + i]! - pull * x[start + i]!;
      dw[i]! += dy[start + i]! * x[start + i]! * inverse;
    }
  }
  return dx;
}

function inverseRoot(x: Float64Array, start: number, width: number, epsilon: number): number {
  let squares = 0;
  for (let i = 0; i < width; i++) squares += x[start + i]! ** 2;
  return 1 / Math.sqrt(squares / width + epsilon);
}

/**
 * Turns the pair (j, j + d/2) of every head at position t by t·theta^(−2j/d). A rotation is orthogonal, so its
 * derivative is the turn back.
 * @param x [B·T, heads·d]
 * @param direction 1 forward, −1 back
 */
export function rotate(
  x: Float64Array,
  tokens: number,
  width: number,
  headDim: number,
  theta: number,
  direction: 1 | -1,
): Float64Array {
  const y = new Float64Array(x.length);
  const half = headDim / 2;
  for (let n = 0; n < x.length / width; n++) {
    const position = n % tokens;
    for (let head = 0; head < width / headDim; head++) {
      for (let j = 0; j < half; j++) {
        const angle = (direction * position) / theta ** ((2 * j) / headDim);
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        const at = n * width + head * headDim + j;
        y[at] = x[at]! * cos - x[at + half]! * sin;
        y[at + half] = x[at]! * sin + x[at + half]! * cos;
      }
    }
  }
  return y;
}

/** Sizes of an attention layer; query head h reads key-value head ⌊h·kvHeads / heads⌋. */
export interface ReferenceAttention {
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Outputs [B·T, heads·d], and the weights [B, heads, T, T] that the derivative needs; those of later tokens are 0. */
export function attend(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  shape: ReferenceAttention,
): { out: Float64Array; weights: Float64Array } {
  const { tokens, headDim } = shape;
  const out = new Float64Array(q.length);
  const weights = new Float64Array((q.length / headDim) * tokens);
  eachQuery(q.length, shape, (queryAt, keyAt, now, row) => {
    const scores: number[] = [];
    for (let then = 0; then <= now; then++) {
      let dot = 0;
      for (let j = 0; j < headDim; j++) dot += q[queryAt + j]! * k[keyAt(then) + j]!;
      scores.push(dot / Math.sqrt(headDim));
    }
    const highest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - highest));
    const total = powers.reduce((a, b) => a + b, 0);
    for (let then = 0; then <= now; then++) {
      weights[row + then] = powers[then]! / total;
      for (let j = 0; j < headDim; j++) out[queryAt + j]! += weights[row + then]! * v[keyAt(then) + j]!;
    }
  });
  return { out, weights };
}

/** Derivatives of `attend`: with a = softmax(s), ds[i] = a[i]·(da[i] − Σ_j a[j]·da[j]). */
export function attendBackward(
  dOut: Float64Array,
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  weights: Float64Array,
  shape: ReferenceAttention,
): { dq: Float64Array; dk: Float64Array; dv: Float64Array } {
  const { headDim } = shape;
  const dq = new Float64Array(q.length);
  const dk = new Float64Array(k.length);
  const dv = new Float64Array(v.length);
  eachQuery(q.length, shape, (queryAt, keyAt, now, row) => {
    const dWeights = new Float64Array(now + 1);
    let mean = 0;
    for (let then = 0; then <= now; then++) {
      for (let j = 0; j < headDim; j++) {
        dWeights[then]! += dOut[queryAt + j]! * v[keyAt(then) + j]!;
        dv[keyAt(then) + j]! += weights[row + then]! * dOut[queryAt + j]!;
      }
      mean += weights[row + then]! * dWeights[then]!;
    }
    for (let then = 0; then <= now; then++) {
      const dScore = (weights[row + then]! * (dWeights[then]! - mean)) / Math.sqrt(headDim);
      for (let j = 0; j < headDim; j++) {
        dq[queryAt + j]! += dScore * k[keyAt(then) + j]!;
        dk[keyAt(then) + j]! += dScore * q[queryAt + j]!;
      }
    }
  });
  return { dq, dk, dv };
}

/** Visits every query head of every token: where it and its keys begin, its position, and its row of weights. */
function eachQuery(
  queries: number,
  { tokens, heads, kvHeads, headDim }: ReferenceAttention,
  visit: (queryAt: number, keyAt: (then: number) => number, now: number, row: number) => void,
): void {
  const rows = queries / (heads * headDim);
  for (let n = 0; n < rows; n++) {
    const now = n % tokens;
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor((head * kvHeads) / heads);
      const keyAt = (then: number): number => ((n - now + then) * kvHeads + shared) * headDim;
      visit((n * heads + head) * headDim, keyAt, now, (n * heads + head) * tokens);
    }
  }
}

/** gate·sigmoid(gate)·up, element by element. */
export function swiglu(gate: Float64Array, up: Float64Array): Float64Array {
  return gate.map((value, at) => (value / (1 + Math.exp(-value))) * up[at]!);
}

/** Derivatives of `swiglu`: with s = sigmoid(g), d(g·s)/dg = s·(1 + g·(1 − s)). */
export function swigluBackward(
  dy: Float64Array,
  gate: Float64Array,
  up: Float64Array,
): { dGate: Float64Array; dUp: Float64Array } {
  const dGate = new Float64Array(gate.length);
  const dUp = new Float64Array(gate.length);
  for (const [at, g] of gate.entries()) {
    const s = 1 / (1 + Math.exp(-g));
    dUp[at] = dy[at]! * g * s;
    dGate[at] = dy[at]! * up[at]! * s * (1 + g * (1 - s));
  }
  return { dGate, dUp };
}

/** Mean of −log softmax(logits)[target] over the rows, and its derivative (softmax − one-hot) / N. */
export function crossEntropy(
  logits: Float64Array,
  targets: ArrayLike<number>,
  classes: number,
): { loss: number; dLogits: Float64Array } {
  const rows = targets.length;
  const dLogits = new Float64Array(logits.length);
  let loss = 0;
  for (let n = 0; n < rows; n++) {
    const row = logits.subarray(n * classes, (n + 1) * classes);
    const highest = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const total = row.reduce((sum, value) => sum + Math.exp(value - highest), 0);
    loss += (highest + Math.log(total) - row[targets[n]!]!) / rows;
    for (let c = 0; c < classes; c++) dLogits[n * classes + c] = Math.exp(row[c]! - highest) / total / rows;
    dLogits[n * classes + targets[n]!]! -= 1 / rows;
  }
  return { loss, dLogits };
}
