/**
 * Builds `dist` from scratch, where there is a compiler. npm runs this after `npm ci` in a checkout and before packing.
 * Without the compiler it says so and succeeds: a failing `prepare` would leave npx with a broken link to this folder.
 * `--required` turns that into a failure.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const required = process.argv.includes('--required');
const compiler = findCompiler();

if (compiler === null) {
  console.error('tapestry-peer: not built, TypeScript is not installed. Run: npm ci');
  process.exitCode = required ? 1 : 0;
} else {
  // The compiler does not clean: a file that was removed from src would be published again.
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status === 0) copyData(join(root, 'src'), join(root, 'dist', 'src'));
  process.exitCode = status === null ? 1 : status;
}

function findCompiler() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  } catch {
    return null;
  }
}

/** Copies what the compiler does not emit: data that is read at run time. */
function copyData(from, to) {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyData(source, target);
    else if (!entry.name.endsWith('.ts') && !existsSync(target)) {
      mkdirSync(to, { recursive: true });
      copyFileSync(source, target);
    }
  }
}
