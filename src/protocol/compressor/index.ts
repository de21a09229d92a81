export type { BodyShape, DecodedBody } from './decode-body.ts';
export { decodeBody, subtractBody } from './decode-body.ts';
export { encodeBody } from './encode-body.ts';
export type { CompressorShape } from './shape.ts';
export { computeBodyLength } from './shape.ts';
