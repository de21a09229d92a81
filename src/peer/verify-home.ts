/**
 * Recomputes a peer's chain offline, from the manifest on: every value, signature, weight and base that its folder
 * allows. What is believed is the manifest alone. spec/round.md#verify
 */
import { dirname, join } from 'node:path';
import { type Certificate, checkCertificate, decodePrecommitSet } from '../protocol/certificate.ts';
import { advanceChain, type ChainRules, type ChainState, createChainState } from '../protocol/chain.ts';
import {
  computeContributions,
  computeTally,
  computeValue,
  getWeightedBodies,
  type WeightedBody,
} from '../protocol/compute-value.ts';
import { openEnvelope, type SignedMessage } from '../protocol/envelope.ts';
import { equalBytes, fromHex } from '../protocol/hex.ts';
import { computeInitialBase } from '../protocol/initial-base.ts';
import type { ContributionMessage, Message, VoteMessage } from '../protocol/messages.ts';
import { createFastVerifier } from '../protocol/signature.ts';
import { encodeValue, type Value } from '../protocol/value.ts';
import { BaseKeeper } from './base-keeper.ts';
import { createBodyShape, createChainRules } from './chain-rules.ts';
import { blobFolder, databaseFile } from './create-peer.ts';
import { openNetworkFolder } from './network-folder.ts';
import { BlobStore } from './storage/blob-store.ts';
import { SqliteStore } from './storage/sqlite-store.ts';

/** What was found in one network folder. */
export interface HomeVerdict {
  readonly home: string;
  readonly network: string;
  readonly valid: boolean;
  /** certified rounds */
  readonly rounds: number;
  /** rounds whose outcomes, weights and next base were computed again; the others rest on their signatures */
  readonly recomputedRounds: number;
  /** root after the last round */
  readonly root: string;
  /** root of the base that each round ended on, from round 1 */
  readonly rootsByRound: readonly string[];
  /** what is wrong, if `valid` is false */
  readonly problem?: string;
}

const verifier = createFastVerifier();

class ChainVerification {
  readonly #store: SqliteStore;
  readonly #rules: ChainRules;
  readonly #bases: BaseKeeper;
  readonly #blobs: BlobStore;
  state: ChainState;
  readonly roots: string[] = [];
  recomputed = 0;

  constructor(store: SqliteStore, rules: ChainRules, bases: BaseKeeper, blobs: BlobStore, genesis: string) {
    this.#store = store;
    this.#rules = rules;
    this.#bases = bases;
    this.#blobs = blobs;
    this.state = createChainState(rules, genesis);
  }

  /** @returns a problem, or null when the chain ends without one */
  async run(): Promise<string | null> {
    for (;;) {
      const { round } = this.state;
      const entry = this.#store.getCertified(round);
      if (entry === null) {
        const last = this.#store.lastRound() ?? 0;
        return last >= round ? `round ${round} is missing, round ${last} is there` : null;
      }
      const set = decodePrecommitSet(entry.precommits);
      if (set.outcome !== 'accept') {
        return `round ${round}: its precommits cannot be read (${set.reason})`;
      }
      const certificate: Certificate = { version: 1, value: entry.value, ...set.value };
      const checked = checkCertificate(this.#rules, this.state, certificate, verifier);
      if (checked.outcome !== 'accept') {
        return `round ${round}: ${checked.reason}`;
      }
      const { value, hash } = checked.value;
      const problem = await this.#recompute(value, entry.value);
      if (problem !== null) {
        return `round ${round}: ${problem}`;
      }
      this.roots.push(value.next);
      this.state = advanceChain(this.#rules, this.state, value, hash);
    }
  }

  /** Outcomes and weights from the votes, the next base from the bodies, if this folder has them. */
  async #recompute(value: Value, bytes: Uint8Array): Promise<string | null> {
    const votes = value.evidence.map(({ vote }) => this.#open(vote, 'vote'));
    const tally = votes.includes(null) ? null : computeTally(votes as VoteMessage[], this.#rules.voters.length);
    const contributions = new Map(tally?.listed.map((hash) => [hash, this.#open(hash, 'contribution')]));
    if (tally === null || [...contributions.values()].includes(null)) {
      return null;
    }
    const named = [...votes, ...contributions.values()];
    if (named.some((message) => message!.round !== value.round)) {
      return 'a message it names is of another round';
    }
    if ([...contributions.values()].some((contribution) => contribution!.base !== value.base)) {
      return 'a contribution it names starts from another base';
    }
    if (votes.some((vote, index) => vote!.key !== this.#rules.voters[value.evidence[index]!.voter]!.key)) {
      return 'a vote in the evidence is not by the voter it is ascribed to';
    }
    const contributionOf = (hash: string): ContributionMessage => contributions.get(hash)!;
    const { evidence, precommitView, precommits } = value;
    const parts = {
      evidence,
      contributions: computeContributions(this.#rules, tally, contributionOf),
      precommitView,
      precommits,
    };
    if (!equalBytes(encodeValue(computeValue(this.#rules, this.state, parts, value.next)), bytes)) {
      return 'its outcomes and weights do not follow from its votes';
    }
    const weighted = getWeightedBodies(this.#rules, value, (hash) => contributions.get(hash)?.body ?? null);
    return weighted === null ? null : this.#recomputeBase(value, weighted);
  }

  async #recomputeBase(value: Value, weighted: readonly WeightedBody[]): Promise<string | null> {
    const has = weighted.every(({ body }) => this.#blobs.has(body));
    const held = this.#bases.holds(value.base) || (this.#blobs.has(value.base) && (await this.#bases.load(value.base)));
    if (!has || !held) {
      return null;
    }
    const next = weighted.length === 0 ? value.base : await this.#bases.computeNext(value.base, weighted);
    if (next !== value.next) {
      return `its base is ${next} when computed again, not ${value.next}`;
    }
    this.#bases.keepOnly(next);
    this.recomputed++;
    return null;
  }

  #open<T extends 'vote' | 'contribution'>(hash: string, type: T): Extract<Message, { type: T }> | null {
    const envelope = this.#store.getMessage(fromHex(hash));
    const opened = envelope === null ? null : openEnvelope(envelope, this.#rules.network, verifier);
    const isNamed = (signed: SignedMessage): boolean => signed.hash === hash && signed.message.type === type;
    return opened?.outcome === 'accept' && isNamed(opened.value)
      ? (opened.value.message as Extract<Message, { type: T }>)
      : null;
  }
}

/**
 * Verifies the folder of one network.
 * @returns a verdict; a chain that does not hold is a verdict, not an error
 * @throws {TapestryError} those of `openNetworkFolder` and of opening the database
 */
export async function verifyHome(networkFolder: string): Promise<HomeVerdict> {
  const { manifest, networkId } = await openNetworkFolder(networkFolder);
  const store = new SqliteStore(join(networkFolder, databaseFile), { readOnly: true });
  try {
    const rules = createChainRules(manifest, networkId);
    const blobs = new BlobStore(join(networkFolder, blobFolder));
    const bases = new BaseKeeper({ blobs, shape: createBodyShape(manifest), outer: manifest.outer });
    const genesis = bases.hold(computeInitialBase(manifest.model, fromHex(manifest.seed)));
    const verification = new ChainVerification(store, rules, bases, blobs, genesis);
    const problem = await verification.run().catch((error: unknown) => (error as Error).message);
    return {
      home: dirname(dirname(networkFolder)),
      network: networkId,
      valid: problem === null,
      rounds: verification.roots.length,
      recomputedRounds: verification.recomputed,
      root: verification.state.base,
      rootsByRound: verification.roots,
      ...(problem === null ? {} : { problem }),
    };
  } finally {
    store.close();
  }
}
