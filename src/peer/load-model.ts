/**
 * What `--model`, `--network` and `--round` mean: a model with its weights, from a folder or from the bases of a network.
 * A network's folder is only looked at, so that its peer may be running. spec/checkpoints.md#bases-of-a-network
 */
import { join } from 'node:path';
import { TapestryError } from '../protocol/errors.ts';
import { fromHex, toHex } from '../protocol/hex.ts';
import { computeInitialBase } from '../protocol/initial-base.ts';
import { computeMerkleRoot } from '../protocol/merkle.ts';
import { decodeValue } from '../protocol/value.ts';
import { type Checkpoint, readCheckpoint } from '../trainer/checkpoint/read-checkpoint.ts';
import { asBytes } from '../trainer/vector-file.ts';
import { locateTokenizer } from './founding-blobs.ts';
import { findModelFolder } from './model-library.ts';
import {
  blobFolder,
  databaseFile,
  listNetworkFolders,
  locateNetwork,
  type NetworkFolder,
  openNetworkFolder,
} from './network-folder.ts';
import { BlobStore } from './storage/blob-store.ts';
import { SqliteStore } from './storage/sqlite-store.ts';

/** Which base. */
export interface BaseRequest {
  readonly home: string;
  /** id or its first 16 digits; default: the last used network of the home */
  readonly network?: string | undefined;
  /** the base after this round, 0 being the one that round 1 starts from; default: the newest that is on the disk */
  readonly round?: number | undefined;
}

/** Which model. */
export interface ModelRequest extends BaseRequest {
  /** name of an imported model, or a folder; then neither network nor round may be given */
  readonly model?: string | undefined;
}

/** A model, and where it is from, for people. */
export interface LoadedModel extends Checkpoint {
  readonly from: string;
}

/** A base of a network. */
export interface LoadedBase extends LoadedModel {
  readonly networkId: string;
  readonly round: number;
  /** Merkle root of the parameters, hex */
  readonly root: string;
}

/**
 * Loads a model.
 * @throws {TapestryError} `model-ambiguous`, `model-missing`, those of `readCheckpoint`, and those of `loadBase`
 */
export async function loadModel(request: ModelRequest): Promise<LoadedModel> {
  const { home, model, network, round } = request;
  if (model === undefined) return loadBase(request);
  if (network !== undefined || round !== undefined) {
    throw new TapestryError(
      'model-ambiguous',
      `Which model: expected --model alone, or --network and --round, found --model ${model} with one of them`,
      'Leave out --model for a base of a network; leave out the others for any other model.',
      { model, network, round },
    );
  }
  const folder = await findModelFolder(home, model);
  return { ...(await readCheckpoint(folder)), from: `model in ${folder}` };
}

/**
 * Loads a base.
 * @throws {TapestryError} `network-missing`, `base-not-here`, and those of opening the folder, its database and its blobs
 */
export async function loadBase(request: BaseRequest): Promise<LoadedBase> {
  const network = await openNetworkFolder(await findNetwork(request));
  const { manifest, networkId, path } = network;
  const blobs = new BlobStore(join(path, blobFolder), { readOnly: true });
  const bases = new BasesOnDisk(network, blobs);
  let place: BasePlace;
  try {
    place = request.round === undefined ? bases.findNewest() : bases.find(request.round);
  } finally {
    bases.close();
  }
  const parameters =
    place.root === null
      ? computeInitialBase(manifest.model, fromHex(manifest.seed))
      : viewFloats(await blobs.read(place.root));
  return {
    model: manifest.model,
    parameters,
    tokenizer: locateTokenizer(manifest, path),
    networkId,
    round: place.round,
    root: place.root ?? toHex(computeMerkleRoot(asBytes(parameters))),
    from: `base after round ${place.round} of "${manifest.name}" (${networkId.slice(0, 16)})`,
  };
}

/** A base that can be had: read by its root or, without one, computed from the seed. */
interface BasePlace {
  readonly round: number;
  readonly root: string | null;
}

/** Which rounds of a network have their base on this disk. */
class BasesOnDisk {
  readonly #network: NetworkFolder;
  readonly #blobs: BlobStore;
  /** null: the peer has never run */
  readonly #store: SqliteStore | null;

  constructor(network: NetworkFolder, blobs: BlobStore) {
    this.#network = network;
    this.#blobs = blobs;
    this.#store = openStore(join(network.path, databaseFile));
  }

  close(): void {
    this.#store?.close();
  }

  /** The base with the most rounds. */
  findNewest(): BasePlace {
    for (let round = this.#lastRound(); round >= 0; round--) {
      const place = this.#look(round);
      if (place !== null) return place;
    }
    throw this.#notHere('the newest base');
  }

  /** The base after a round. */
  find(round: number): BasePlace {
    const place = round <= this.#lastRound() ? this.#look(round) : null;
    if (place === null) throw this.#notHere(`the base after round ${round}`);
    return place;
  }

  #lastRound(): number {
    return this.#store?.lastRound() ?? 0;
  }

  #look(round: number): BasePlace | null {
    const { initialBase } = this.#network.manifest;
    if (round === 0 && initialBase.kind === 'seed') return { round, root: null };
    const root = round === 0 && initialBase.kind === 'checkpoint' ? initialBase.root : this.#rootAfter(round);
    return root !== null && this.#blobs.has(root) ? { round, root } : null;
  }

  #rootAfter(round: number): string | null {
    const entry = this.#store?.getCertified(round) ?? null;
    const value = entry === null ? null : decodeValue(entry.value);
    return value?.outcome === 'accept' ? value.value.next : null;
  }

  #notHere(expected: string): TapestryError {
    const { path, networkId } = this.#network;
    const last = this.#lastRound();
    const here = Array.from({ length: last + 1 }, (_, round) => round).filter((round) => this.#look(round) !== null);
    return new TapestryError(
      'base-not-here',
      `${path}: expected ${expected}, found ${describeRounds(here)} of ${last} rounds`,
      here.length === 0
        ? 'Run the peer of this network, which fetches the newest base.'
        : `Give one of these with --round; the peer keeps only the newest ones (and 0, if it follows from the seed).`,
      { path, networkId, rounds: here },
    );
  }
}

/** Rounds as text: "the bases after rounds 0, 7 to 9". */
function describeRounds(rounds: readonly number[]): string {
  if (rounds.length === 0) return 'no base';
  const starts = rounds.filter((round, at) => rounds[at - 1] !== round - 1);
  const ends = rounds.filter((round, at) => rounds[at + 1] !== round + 1);
  const parts = starts.map((start, at) => (start === ends[at] ? `${start}` : `${start} to ${ends[at]}`));
  return `the bases after rounds ${parts.join(', ')}`;
}

function openStore(path: string): SqliteStore | null {
  try {
    return new SqliteStore(path, { readOnly: true });
  } catch (error) {
    if (error instanceof TapestryError && error.code === 'database-missing') return null;
    throw error;
  }
}

async function findNetwork({ home, network }: BaseRequest): Promise<string> {
  if (network !== undefined) return locateNetwork(home, network);
  const [last] = await listNetworkFolders(home);
  if (last !== undefined) return last;
  throw new TapestryError(
    'network-missing',
    `${home}: expected at least one network, found none`,
    'Found a network with "tapestry-peer", join one with "tapestry-peer join LINK", or give another folder with --home.',
    { home },
  );
}

/** Bytes as float32, in place where they lie as they must. */
function viewFloats(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Float32Array(buffer, byteOffset, length / 4);
}
