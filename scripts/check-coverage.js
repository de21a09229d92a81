/**
 * Checks the line coverage of one folder in the summary that `npm test` leaves behind.
 * Usage: node scripts/check-coverage.js src/protocol 95
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [folder = 'src', least = '0'] = process.argv.slice(2);
const summary = JSON.parse(readFileSync(join(root, 'coverage', 'coverage-summary.json'), 'utf8'));

const files = Object.entries(summary)
  .map(([path, { lines }]) => ({ path: relative(root, path).split(sep).join('/'), lines }))
  .filter(({ path }) => path.startsWith(`${folder}/`));
const covered = files.reduce((sum, { lines }) => sum + lines.covered, 0);
const total = files.reduce((sum, { lines }) => sum + lines.total, 0);
const percent = total === 0 ? 0 : (100 * covered) / total;

console.log(`${folder}: ${percent.toFixed(2)} % of ${total} lines covered, ${least} % wanted`);
if (percent < Number(least)) {
  const worst = files.toSorted((a, b) => a.lines.pct - b.lines.pct).slice(0, 5);
  for (const { path, lines } of worst) console.log(`  ${path}: ${lines.pct} %`);
  process.exitCode = 1;
}
