/**
 * Reverse-mode differentiation while a graph is being built: every differentiable operator records how a gradient of
 * its output becomes gradients of its inputs, and `backward` lays those nodes behind the forward ones.
 * spec/trainer.md#gradients
 */
import assert from 'node:assert/strict';
import type { Value } from '../onnx/encode-model.ts';
import type { GraphBuilder } from '../onnx/graph-builder.ts';

/** Either a gradient to be added, or a function that adds to the sum so far by itself (a Gemm does so for free). */
export type Contribution = Value | ((sum: Value | null) => Value);

type Backward = (gradient: Value, contribute: (input: Value, contribution: Contribution) => void) => void;

/** The operators recorded so far on one graph. */
export class Tape {
  readonly graph: GraphBuilder;
  readonly #records: { output: Value; backward: Backward }[] = [];

  constructor(graph: GraphBuilder) {
    this.graph = graph;
  }

  /** Records how a gradient of `output` reaches the inputs; returns `output`. */
  record(output: Value, backward: Backward): Value {
    this.#records.push({ output, backward });
    return output;
  }

  /**
   * Lays out the gradient of `output` with respect to each of `inputs`.
   * @param seed gradient of the objective with respect to `output`, of its shape
   * @param start sums that the gradients are added to, one for each of `inputs`; zero when not given
   * @returns one value for each of `inputs`, of its shape
   */
  backward(output: Value, seed: Value, inputs: readonly Value[], start: readonly Value[] = []): Value[] {
    const sums = new Map<string, Value>([[output.name, seed]]);
    for (const [at, sum] of start.entries()) {
      sums.set(inputs[at]!.name, sum);
    }
    const contribute = (input: Value, contribution: Contribution): void => {
      const sum = sums.get(input.name) ?? null;
      if (typeof contribution === 'function') {
        sums.set(input.name, contribution(sum));
      } else {
        sums.set(input.name, sum === null ? contribution : this.graph.add(sum, contribution));
      }
    };
    for (const { output: recorded, backward } of this.#records.toReversed()) {
      const gradient = sums.get(recorded.name);
      if (gradient !== undefined) {
        backward(gradient, contribute);
      }
    }
    return inputs.map((input) => {
      const gradient = sums.get(input.name);
      assert(gradient !== undefined, `${output.name} does not depend on ${input.name}`);
      return gradient;
    });
  }
}
