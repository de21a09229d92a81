/**
 * Runs vectors of the format `value`: votes and contributions to a value, its certificate and the state after it; and
 * certificates that must be refused.
 */
import type { ExecutionContext } from 'ava';
import { chainBeacon } from '../../../src/protocol/beacon.ts';
import { checkCertificate, decodeCertificate } from '../../../src/protocol/certificate.ts';
import { advanceChain, type ChainRules, type ChainState } from '../../../src/protocol/chain.ts';
import { computeContributions, computeTally, computeValue } from '../../../src/protocol/compute-value.ts';
import { fromHex, toHex } from '../../../src/protocol/hex.ts';
import type { RoundRules } from '../../../src/protocol/manifest.ts';
import type { ContributionMessage, VoteMessage } from '../../../src/protocol/messages.ts';
import { referenceVerifier } from '../../../src/protocol/signature.ts';
import { computeValueHash, encodeValue, type PrecommitSignature } from '../../../src/protocol/value.ts';
import type { VectorRunner } from './data.ts';

/** The part of a manifest that decides how the chain advances. */
export interface RulesJson {
  readonly network: string;
  readonly voters: ChainRules['voters'];
  readonly openSharePermille: number;
  readonly minTrainDeadlineMs: number;
  readonly maxTrainDeadlineMs: number;
  readonly memory: number;
  readonly maxContributions: number;
}

/** A round that was certified. */
export interface ValueVector {
  readonly name: string;
  readonly rules: RulesJson;
  readonly state: ChainState;
  /** the votes of the evidence: whose, their hashes, and what they list */
  readonly evidence: readonly {
    readonly voter: number;
    readonly vote: string;
    readonly contributions: readonly string[];
  }[];
  /** signer of each contribution that f + 1 votes list */
  readonly keys: Readonly<Record<string, string>>;
  readonly precommitView: number;
  readonly precommits: readonly PrecommitSignature[];
  readonly next: string;
  readonly value: string;
  readonly hash: string;
  readonly certificate: string;
  readonly after: ChainState;
}

/** A certificate that does not extend the chain. */
export interface CertificateRejectVector {
  readonly name: string;
  readonly rules: RulesJson;
  readonly state: ChainState;
  readonly certificate: string;
  readonly reason: string;
}

/** The rules that JSON stands for; what no value depends on is zero. */
export function parseRules(json: RulesJson): ChainRules {
  const { network, voters, openSharePermille, ...bounds } = json;
  const zeros = { trainDeadlineMs: 0, revealMs: 0, voteMs: 0, proposeMs: 0, viewGrowthPermille: 0, maxViewMs: 0 };
  const round: RoundRules = { ...zeros, openGracePermille: 0, ...bounds };
  return { network, voters, openSharePermille, round, beacon: chainBeacon };
}

function runValue(t: ExecutionContext, vector: ValueVector): void {
  const rules = parseRules(vector.rules);
  const { state, evidence, keys, precommitView, precommits, next } = vector;
  const tally = computeTally(evidence as unknown as VoteMessage[], rules.voters.length);
  const contributions = computeContributions(rules, tally, (hash) => ({ key: keys[hash] }) as ContributionMessage);
  const votes = evidence.map(({ voter, vote }) => ({ voter, vote }));
  const value = computeValue(rules, state, { evidence: votes, contributions, precommitView, precommits }, next);
  const bytes = encodeValue(value);
  t.is(toHex(bytes), vector.value);
  t.is(computeValueHash(bytes), vector.hash);
  t.deepEqual(advanceChain(rules, state, value, vector.hash), vector.after);
  t.is(reasonOf(rules, state, vector.certificate), 'accepted');
}

function reasonOf(rules: ChainRules, state: ChainState, certificate: string): string {
  const decoded = decodeCertificate(fromHex(certificate));
  const checked =
    decoded.outcome === 'accept' ? checkCertificate(rules, state, decoded.value, referenceVerifier) : decoded;
  return checked.outcome === 'accept' ? 'accepted' : checked.reason;
}

export const run: VectorRunner = (t, vector) => {
  if (!('reason' in vector)) {
    runValue(t, vector as ValueVector);
    return;
  }
  const { rules, state, certificate, reason } = vector as CertificateRejectVector;
  t.is(reasonOf(parseRules(rules), state, certificate), reason);
};
