/**
 * Builds an ONNX graph node by node. Shapes are given by the caller or follow from the rules of the helper, sizes that
 * change from run to run by a name; the runtime checks them again. Gradients are not known here (`../graph/tape.ts`).
 */
import assert from 'node:assert/strict';
import type { Attribute, Dimension, ElementType, Graph, Initializer, Node, Value } from './encode-model.ts';

/** Element types of the numbers a model computes with: float to train, double to check gradients. */
export type RealType = 'float' | 'double';

/** What a node may be given beside its inputs. */
export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
  readonly type?: ElementType;
}

/** Collects the nodes of one graph. Names are unique over all builders that share a `prefix`-free name space. */
export class GraphBuilder {
  readonly real: RealType;
  readonly #prefix: string;
  readonly #nodes: Node[] = [];
  readonly #inputs: Value[] = [];
  readonly #constants = new Map<string, { value: Value; initializer: Initializer }>();
  #names = 0;

  /** @param prefix begins every name, so that a body of a Loop and the graph around it never share one */
  constructor(real: RealType, prefix = '') {
    this.real = real;
    this.#prefix = prefix;
  }

  /** An input of the graph. */
  input(name: string, type: ElementType, shape: readonly Dimension[]): Value {
    const value = { name: this.#prefix + name, type, shape };
    this.#inputs.push(value);
    return value;
  }

  /** A constant of the real type; the same numbers are stored once. */
  constant(data: ArrayLike<number>, shape: readonly number[] = []): Value {
    const array = this.real === 'float' ? Float32Array.from(data) : Float64Array.from(data);
    return this.#constant(this.real, new Uint8Array(array.buffer), shape);
  }

  /** A constant list of whole numbers: shapes, axes. */
  integers(data: readonly number[], shape: readonly number[] = [data.length]): Value {
    return this.#constant('int64', new Uint8Array(BigInt64Array.from(data, BigInt).buffer), shape);
  }

  /** A node with one output, of the real type unless `options.type` says otherwise. */
  node(
    opType: string,
    inputs: readonly (Value | null)[],
    shape: readonly Dimension[],
    options: NodeOptions = {},
  ): Value {
    return this.nodes(opType, inputs, [shape], options)[0]!;
  }

  /** A node with several outputs, one for each shape. */
  nodes(
    opType: string,
    inputs: readonly (Value | null)[],
    shapes: readonly (readonly Dimension[])[],
    options: NodeOptions = {},
  ): Value[] {
    const outputs = shapes.map((shape) => ({ name: this.#name(), type: options.type ?? this.real, shape }));
    this.#nodes.push({
      opType,
      domain: options.domain ?? '',
      inputs: inputs.map((input) => input?.name ?? ''),
      outputs: outputs.map((output) => output.name),
      attributes: options.attributes ?? {},
    });
    return outputs;
  }

  /** Elementwise a + b with broadcasting. */
  add(a: Value, b: Value): Value {
    return this.node('Add', [a, b], broadcast(a, b));
  }

  /** Elementwise a − b with broadcasting. */
  sub(a: Value, b: Value): Value {
    return this.node('Sub', [a, b], broadcast(a, b));
  }

  /** Elementwise a · b with broadcasting. */
  mul(a: Value, b: Value): Value {
    return this.node('Mul', [a, b], broadcast(a, b));
  }

  /** Elementwise a / b with broadcasting. */
  div(a: Value, b: Value): Value {
    return this.node('Div', [a, b], broadcast(a, b));
  }

  /**
   * The same elements in another shape. A named size is taken over where `x` has it at the same axis; one other may
   * follow from the number of elements.
   */
  reshape(x: Value, shape: readonly Dimension[]): Value {
    const sizes = shape.map((size, axis) => (typeof size === 'number' ? size : x.shape[axis] === size ? 0 : -1));
    assert(sizes.filter((size) => size === -1).length <= 1, `[${x.shape}] does not say what [${shape}] is`);
    return this.node('Reshape', [x, this.integers(sizes)], shape, { type: x.type });
  }

  /** Axes in another order. */
  transpose(x: Value, order: readonly number[]): Value {
    const shape = order.map((axis) => x.shape[axis]!);
    return this.node('Transpose', [x], shape, { attributes: { perm: order }, type: x.type });
  }

  /** Sum over one axis, which is kept with size 1 unless `keep` is false. */
  sum(x: Value, axis: number, keep = true): Value {
    return this.node('ReduceSum', [x, this.integers([axis])], reduced(x, axis, keep), {
      attributes: { keepdims: keep ? 1 : 0 },
    });
  }

  /**
   * The finished graph.
   * @param outputs what it returns: values made by its nodes, each under a public name
   */
  finish(name: string, outputs: Readonly<Record<string, Value>>): Graph {
    const publicNames = new Map(Object.entries(outputs).map(([publicName, value]) => [value.name, publicName]));
    const rename = (own: string): string => publicNames.get(own) ?? own;
    return {
      name,
      nodes: this.#nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map(rename),
        outputs: node.outputs.map(rename),
      })),
      initializers: [...this.#constants.values()].map((entry) => entry.initializer),
      inputs: this.#inputs,
      outputs: Object.entries(outputs).map(([publicName, value]) => ({ ...value, name: publicName })),
    };
  }

  #constant(type: ElementType, data: Uint8Array, shape: readonly number[]): Value {
    const key = `${type} ${shape.join('x')} ${Buffer.from(data).toString('latin1')}`;
    const known = this.#constants.get(key);
    if (known !== undefined) {
      return known.value;
    }
    const value = { name: this.#name(), type, shape };
    this.#constants.set(key, { value, initializer: { ...value, data } });
    return value;
  }

  #name(): string {
    this.#names += 1;
    return `${this.#prefix}t${this.#names}`;
  }
}

function broadcast(a: Value, b: Value): Dimension[] {
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a.shape[axis - rank + a.shape.length] ?? 1;
    const right = b.shape[axis - rank + b.shape.length] ?? 1;
    assert(left === right || left === 1 || right === 1, `shapes [${a.shape}] and [${b.shape}] do not broadcast`);
    return left === 1 ? right : left;
  });
}

function reduced(x: Value, axis: number, keep: boolean): Dimension[] {
  const at = axis < 0 ? axis + x.shape.length : axis;
  return x.shape.flatMap((size, index) => (index !== at ? [size] : keep ? [1] : []));
}
