/**
 * The bases: the one being trained on, in memory; the last few, on disk, to serve to late joiners; and the computation
 * of the next from bodies. Everyone computes it, in slices, so that the peer stays responsive meanwhile.
 * spec/round.md#outer-step
 */
import { setImmediate } from 'node:timers/promises';
import type { BodyShape } from '../protocol/compressor/index.ts';
import { decodeBody } from '../protocol/compressor/index.ts';
import type { WeightedBody } from '../protocol/compute-value.ts';
import { TapestryError } from '../protocol/errors.ts';
import { toHex } from '../protocol/hex.ts';
import { computeMerkleRoot } from '../protocol/merkle.ts';
import { createOuterStep, type OuterStepConfig } from '../protocol/outer-step.ts';
import type { BlobStore } from './storage/blob-store.ts';

/** Values of one slice of the outer step: a few milliseconds of work. */
const sliceLength = 1 << 18;

/** What the keeper works with. */
export interface BaseKeeperComponents {
  readonly blobs: BlobStore;
  readonly shape: BodyShape;
  readonly outer: OuterStepConfig;
}

/** The bytes of float32 values, little-endian as on every machine this runs on. */
export function viewBytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Knows bases by their root. */
export class BaseKeeper {
  readonly #components: BaseKeeperComponents;
  /** the base in use and what was computed from it, by root */
  readonly #values: Map<string, Float32Array> = new Map();

  constructor(components: BaseKeeperComponents) {
    this.#components = components;
  }

  /** Bytes of a base. */
  get sizeBytes(): number {
    return this.#components.shape.length * 4;
  }

  /** Takes in values that were computed here. @returns their root */
  hold(values: Float32Array): string {
    const root = toHex(computeMerkleRoot(viewBytes(values)));
    this.#values.set(root, values);
    return root;
  }

  /** True if the values are in memory. */
  holds(root: string): boolean {
    return this.#values.has(root);
  }

  /** Where the file of a base is. */
  pathOf(root: string): string {
    return this.#components.blobs.pathOf(root);
  }

  /**
   * Makes a base that is held, or is on the disk, the one in use: in memory and durable; forgets what it replaces.
   * @returns false if it is neither here nor there
   */
  async use(root: string): Promise<boolean> {
    const held = this.#values.get(root);
    if (held !== undefined) {
      await this.#components.blobs.put(viewBytes(held));
    } else if (!(await this.load(root))) {
      return false;
    }
    this.keepOnly(root);
    return true;
  }

  /** Reads a base from the disk. @returns false if it is not there, or was damaged and has been set aside */
  async load(root: string): Promise<boolean> {
    const { blobs } = this.#components;
    try {
      const bytes = await blobs.read(root);
      this.#values.set(root, new Float32Array(bytes.slice().buffer));
      return true;
    } catch (error) {
      if (error instanceof TapestryError && (error.code === 'blob-missing' || error.code === 'blob-corrupt')) {
        return false;
      }
      throw error;
    }
  }

  /** Forgets every other base in memory. */
  keepOnly(root: string): void {
    for (const other of this.#values.keys()) {
      if (other !== root) {
        this.#values.delete(other);
      }
    }
  }

  /**
   * Computes θ_{r+1} from the base in use and bodies that are in the store, in the given order, and holds it.
   * A sum that leaves the range of float32 leaves the base as it is.
   * @returns its root
   * @throws {TapestryError} `base-missing`, `body-invalid`, those of `BlobStore.read`
   */
  async computeNext(base: string, bodies: readonly WeightedBody[]): Promise<string> {
    const { blobs, shape, outer } = this.#components;
    const values = this.#values.get(base);
    if (values === undefined) {
      throw new TapestryError('base-missing', `The base ${base.slice(0, 16)} is not in use.`, 'Report this fault.');
    }
    const contributions = [];
    for (const { body: root, weight, clip } of bodies) {
      const decoded = decodeBody(await blobs.read(root), shape);
      if (decoded.outcome !== 'accept') {
        const facts = { root, reason: decoded.reason };
        throw new TapestryError('body-invalid', `Body ${root}: ${decoded.reason}.`, 'Report this fault.', facts);
      }
      contributions.push({ body: decoded.value, weight, clip });
    }
    const step = createOuterStep(values, contributions, outer);
    for (let from = 0; from < step.length; from += sliceLength) {
      const checked = step.run(from, Math.min(from + sliceLength, step.length));
      if (checked.outcome !== 'accept') {
        return base;
      }
      await setImmediate();
    }
    return this.hold(step.next);
  }
}
