/**
 * Says what is wrong with a value that a person wrote, in the four parts of every error message here: which key, what
 * was expected, what was found, what was perhaps meant. Used for the manifest and for `config.toml`.
 * Never for bytes from other peers: those have bounded decoders of their own.
 */
import type { z } from 'zod';

/** The first thing wrong with a value. */
export interface SchemaProblem {
  readonly kind: 'unknown-key' | 'missing-key' | 'wrong-type' | 'out-of-range';
  /** dotted path, for example `compressor.topK` */
  readonly key: string;
  readonly expected: string;
  readonly found: string;
}

/** Picks the most telling issue of a failed check of `input` and words it. Unknown keys come first: they are typos. */
export function describeSchemaProblem(error: z.ZodError, input: unknown, keys: readonly string[]): SchemaProblem {
  const unknown = error.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown !== undefined) {
    const key = [...unknown.path, unknown.keys[0] ?? ''].join('.');
    const near = findNearest(key, keys);
    const expected = near === null ? `one of ${describeSiblings(key, keys)}` : `perhaps "${near}"`;
    return { kind: 'unknown-key', key, expected, found: 'an unknown key' };
  }
  const issue = error.issues[0]!;
  const key = issue.path.join('.');
  const value = valueAt(input, issue.path);
  if (value === undefined) return { kind: 'missing-key', key, expected: describeExpected(issue), found: 'nothing' };
  const kind = issue.code === 'invalid_type' ? 'wrong-type' : 'out-of-range';
  return { kind, key, expected: describeExpected(issue), found: describeFound(value) };
}

/** The key of `keys` that `key` is a misspelling of, or null: at most two letters or a third of them differ. */
export function findNearest(key: string, keys: readonly string[]): string | null {
  let nearest: string | null = null;
  let least = Math.max(2, Math.floor(key.length / 3)) + 1;
  for (const candidate of keys) {
    const distance = computeEditDistance(key.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** What was found, as short text: strings in quotes, long values cut. */
export function describeFound(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a table';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function describeExpected(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' ? 'a whole number' : `a ${issue.expected}`;
    case 'too_small':
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${describeUnit(issue.origin)}`;
    case 'too_big':
      return `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${describeUnit(issue.origin)}`;
    case 'invalid_value':
      return issue.values.map((value) => JSON.stringify(value)).join(' or ');
    default:
      return issue.message;
  }
}

function describeUnit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}

function describeSiblings(key: string, keys: readonly string[]): string {
  const prefix = key.slice(0, key.lastIndexOf('.') + 1);
  const siblings = keys.filter((candidate) => candidate.startsWith(prefix));
  return (siblings.length === 0 ? keys : siblings).join(', ');
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

/** Levenshtein's distance: insertions, deletions and replacements that turn one word into the other. */
function computeEditDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replace = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, replace));
    }
    row = next;
  }
  return row[to.length]!;
}
