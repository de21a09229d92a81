/**
 * ONNX messages as bytes: model, graph, node, attribute, tensor, value. Field numbers are those of onnx.proto of
 * IR version 9. Nothing is checked here; the runtime refuses a wrong graph when the session is made.
 */
import { ProtobufWriter } from './protobuf-writer.ts';

/** Element types used here, with their ONNX numbers. */
export const elementTypes = { float: 1, int32: 6, int64: 7, bool: 9, double: 11 } as const;

/** Name of an element type. */
export type ElementType = keyof typeof elementTypes;

/** A size, or the name of one that is known only when the session runs. */
export type Dimension = number | string;

/** A named tensor of a graph: an input, an output, or what a node makes. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly Dimension[];
}

/** A tensor stored in the file, little-endian. */
export interface Initializer {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Whole numbers are written as INT, `{float}` as FLOAT, arrays as INTS, text as STRING, graphs as GRAPH. */
export type Attribute = number | string | { readonly float: number } | readonly number[] | Graph;

/** One operator call. An empty input or output name means "not given". */
export interface Node {
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Nodes in an order in which they can run. */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

const irVersion = 9;
const opsetVersion = 18;

/** The domain of the runtime's own operators. */
export const contribDomain = 'com.microsoft';

/** Bytes of an ONNX model: opset 18 and the runtime's own operators. */
export function encodeModel(graph: Graph): Uint8Array {
  const opset = (domain: string, version: number): ProtobufWriter =>
    new ProtobufWriter().bytes(1, domain).int(2, version);
  return new ProtobufWriter()
    .int(1, irVersion)
    .bytes(2, 'tapestry-peer')
    .bytes(7, encodeGraph(graph))
    .bytes(8, opset('', opsetVersion))
    .bytes(8, opset(contribDomain, 1))
    .finish();
}

function encodeGraph(graph: Graph): ProtobufWriter {
  const writer = new ProtobufWriter();
  for (const node of graph.nodes) {
    writer.bytes(1, encodeNode(node));
  }
  writer.bytes(2, graph.name);
  for (const initializer of graph.initializers) {
    writer.bytes(5, encodeInitializer(initializer));
  }
  for (const input of graph.inputs) {
    writer.bytes(11, encodeValue(input));
  }
  for (const output of graph.outputs) {
    writer.bytes(12, encodeValue(output));
  }
  return writer;
}

function encodeNode(node: Node): ProtobufWriter {
  const writer = new ProtobufWriter();
  for (const input of node.inputs) {
    writer.bytes(1, input);
  }
  for (const output of node.outputs) {
    writer.bytes(2, output);
  }
  writer.bytes(4, node.opType);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    writer.bytes(5, encodeAttribute(name, attribute));
  }
  return writer.bytes(7, node.domain);
}

function encodeAttribute(name: string, attribute: Attribute): ProtobufWriter {
  const writer = new ProtobufWriter().bytes(1, name);
  if (typeof attribute === 'number') {
    return writer.int(3, attribute).int(20, 2);
  }
  if (typeof attribute === 'string') {
    return writer.bytes(4, attribute).int(20, 3);
  }
  if ('float' in attribute) {
    return writer.float(2, attribute.float).int(20, 1);
  }
  if ('nodes' in attribute) {
    return writer.bytes(6, encodeGraph(attribute)).int(20, 5);
  }
  for (const value of attribute) {
    writer.int(8, value);
  }
  return writer.int(20, 7);
}

function encodeInitializer(initializer: Initializer): ProtobufWriter {
  const writer = new ProtobufWriter();
  for (const size of initializer.shape) {
    writer.int(1, size);
  }
  return writer.int(2, elementTypes[initializer.type]).bytes(8, initializer.name).bytes(9, initializer.data);
}

function encodeValue(value: Value): ProtobufWriter {
  const shape = new ProtobufWriter();
  for (const size of value.shape) {
    const dimension = new ProtobufWriter();
    shape.bytes(1, typeof size === 'number' ? dimension.int(1, size) : dimension.bytes(2, size));
  }
  const tensor = new ProtobufWriter().int(1, elementTypes[value.type]).bytes(2, shape);
  return new ProtobufWriter().bytes(1, value.name).bytes(2, new ProtobufWriter().bytes(1, tensor));
}
