/** The version of this package, from its package.json, in a checkout and in `dist` alike. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

/** For example `0.1.0`. */
export function readVersion(): string {
  const path = findPackageJSON('..', import.meta.url);
  if (path === undefined) return 'unknown';
  return (JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }).version;
}
