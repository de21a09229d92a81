/** Compares recorded gradients with central differences, in doubles. */

import { createSession } from '../../../src/trainer/create-session.ts';
import { Tape } from '../../../src/trainer/graph/tape.ts';
import { encodeModel, type Value } from '../../../src/trainer/onnx/encode-model.ts';
import { GraphBuilder } from '../../../src/trainer/onnx/graph-builder.ts';
import { type InferenceSession, Tensor } from '../../../src/trainer/onnx-runtime.ts';
import { createNumbers } from './numbers.ts';

/** Named double arrays. */
export type Arrays = Record<string, Float64Array>;

const nudge = 1e-5;

/**
 * Largest error of the gradient of Σ seed·output over all elements of all inputs, relative to the element, or to a
 * thousandth of the largest one where that is larger (differences of tiny numbers are noise).
 * @param shapes of the real inputs; their values and the seed are drawn at random
 * @param integers int32 inputs, which have no gradient
 */
export async function largestGradientError(
  shapes: Record<string, readonly number[]>,
  build: (tape: Tape, inputs: Record<string, Value>) => Value,
  integers: Record<string, Int32Array> = {},
): Promise<number> {
  const graph = new GraphBuilder('double');
  const tape = new Tape(graph);
  const reals = Object.entries(shapes).map(([name, shape]) => graph.input(name, 'double', shape));
  const wholes = Object.entries(integers).map(([name, data]) => graph.input(name, 'int32', [data.length]));
  const output = build(tape, Object.fromEntries([...reals, ...wholes].map((value) => [value.name, value])));
  const seed = graph.input('seed', 'double', output.shape);
  const gradients = tape.backward(output, seed, reals);
  // A gradient may be the seed itself, and an input cannot be an output.
  const made = Object.fromEntries(
    reals.map((value, at) => [`d.${value.name}`, graph.node('Identity', [gradients[at]!], value.shape)]),
  );
  const session = await createSession(encodeModel(graph.finish('check', { output, ...made })), {
    threads: 1,
    device: { kind: 'cpu' },
    optimization: 'disabled',
  });

  const number = createNumbers(7);
  const fill = (shape: readonly unknown[]): Float64Array =>
    Float64Array.from({ length: (shape as number[]).reduce((a, b) => a * b, 1) }, number);
  const values: Arrays = Object.fromEntries(reals.map((value) => [value.name, fill(value.shape)]));
  const seeds = fill(output.shape);
  const feeds = {
    ...doubleTensors(values, shapes),
    ...Object.fromEntries(
      Object.entries(integers).map(([name, data]) => [name, new Tensor('int32', data, [data.length])]),
    ),
    seed: new Tensor('float64', seeds, output.shape as number[]),
  };
  const objective = async (): Promise<number> => {
    const { output: result } = await session.run(feeds, ['output']);
    return (result!.data as Float64Array).reduce((sum, value, at) => sum + value * seeds[at]!, 0);
  };
  const results = await session.run(feeds);
  let worst = 0;
  for (const [name, data] of Object.entries(values)) {
    const exact = results[`d.${name}`]!.data as Float64Array;
    worst = Math.max(worst, await compare(data, exact, [...data.keys()], objective));
  }
  await session.release();
  return worst;
}

/** Worst relative error of `exact` at `places`, against central differences of `objective` in `data`. */
export async function compare(
  data: Float64Array,
  exact: Float64Array,
  places: readonly number[],
  objective: () => Promise<number>,
): Promise<number> {
  const largest = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let worst = 0;
  for (const place of places) {
    const value = data[place]!;
    data[place] = value + nudge;
    const above = await objective();
    data[place] = value - nudge;
    const below = await objective();
    data[place] = value;
    const difference = (above - below) / (2 * nudge);
    const scale = Math.max(Math.abs(difference), Math.abs(exact[place]!), largest / 1000);
    worst = Math.max(worst, Math.abs(difference - exact[place]!) / scale);
  }
  return worst;
}

/** Feeds of doubles; each tensor is a view of its array. */
export function doubleTensors(values: Arrays, shapes: Record<string, readonly number[]>): InferenceSession.FeedsType {
  return Object.fromEntries(
    Object.entries(values).map(([name, data]) => [name, new Tensor('float64', data, shapes[name] as number[])]),
  );
}
