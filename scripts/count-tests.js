/**
 * Says in one line how the tests went: `N passed, N failed`. AVA prints a count of those that passed only if all did,
 * so the lines of the tests are counted. A run that ended badly counts as at least one failure.
 * Usage: node scripts/count-tests.js LOG EXIT-CODE
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { stripVTControlCharacters } from 'node:util';

const [log = '', exitCode = '0'] = process.argv.slice(2);
const lines = stripVTControlCharacters(readFileSync(log, 'utf8')).split('\n');
const count = (pattern) => lines.filter((line) => pattern.test(line)).length;

const passed = count(/^ {2}[✔√] /);
const failed = Math.max(count(/^ {2}[✘×] \[fail\]: /), exitCode !== '0' || passed === 0 ? 1 : 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
