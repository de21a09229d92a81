/**
 * ONNX Runtime, imported in this one place. Its native library reports to its maker unless a variable is set before it is
 * loaded; a peer opens no socket to anything that is not a peer, so it is set here. spec/decisions/006-dependencies.md
 */
import './disable-telemetry.ts';

export { InferenceSession, Tensor } from 'onnxruntime-node';
