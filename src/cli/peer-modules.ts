/**
 * What the commands need from the layers below, as one replaceable object: tests bring a fake one.
 * The real modules load libp2p and ONNX Runtime, so each is imported when it is first used and not before.
 */
import type { Peer, PeerData, PeerInit } from '../peer/peer.ts';
import type { Manifest } from '../protocol/manifest.ts';

/** A peer's identity: one Ed25519 seed, its public key and the PeerId. */
export interface PeerIdentity {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly peerId: string;
}

/** What `verify` found in one network folder. */
export interface HomeVerdict {
  readonly home: string;
  readonly network: string;
  readonly valid: boolean;
  readonly rounds: number;
  readonly recomputedRounds: number;
  readonly root: string;
  readonly rootsByRound: readonly string[];
  readonly problem?: string;
}

/** Training of one peer's data alone, to compare the shared base with. */
export interface SoloInit {
  readonly manifest: Manifest;
  readonly data: PeerData;
  readonly threads: number;
  readonly rounds: number;
  readonly onEvent: (event: { readonly event: string; readonly [fact: string]: unknown }) => void;
  readonly signal?: AbortSignal;
}

/** Held-out loss in nats per byte: the mean over kinds, and each kind's own. */
export interface SoloResult {
  readonly mean: number;
  readonly perKind: Readonly<Record<string, number>>;
}

/** Where to ask for a manifest: any of the addresses, as the peer of `seed`. */
export interface ManifestRequest {
  readonly seed: Uint8Array;
  /** lower-case hex */
  readonly networkId: string;
  readonly addresses: string[];
  readonly signal?: AbortSignal;
}

/** The layers below the command line. */
export interface PeerModules {
  createPeer(init: PeerInit): Promise<Peer>;
  verifyHome(networkFolder: string): Promise<HomeVerdict>;
  fetchManifest(request: ManifestRequest): Promise<Manifest>;
  runSolo(init: SoloInit): Promise<SoloResult>;
  /** Reads the identity file, or makes it with 0600 rights; `seed` is what a new file gets instead of a random one. */
  loadOrCreateIdentity(path: string, seed?: Uint8Array): Promise<PeerIdentity>;
  /** Hash of the list of public held-out files, lower-case hex. */
  computeHeldOutHash(): Promise<string>;
}
