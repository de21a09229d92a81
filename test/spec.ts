/** What code and pages cite in spec/ must be there: pages, headings, vectors, decisions. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import test from 'ava';

const root = join(import.meta.dirname, '..');

function listFiles(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** Anchors of a page's headings, as GitHub makes them. */
function getAnchors(page: string): Set<string> {
  const headings = readFileSync(join(root, page), 'utf8').matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Null if the place is there. */
function findProblem(page: string, anchor: string | undefined): string | null {
  if (!existsSync(join(root, page))) return `${page} does not exist`;
  return anchor === undefined || getAnchors(page).has(anchor) ? null : `${page} has no heading #${anchor}`;
}

test('every page and heading that code cites exists', (t) => {
  const files = ['src', 'test', 'scripts', 'bin'].flatMap((folder) => listFiles(folder, /\.(ts|js)$/));
  const citations = files.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/spec\/([\w/-]+\.md)(?:#([\w-]+))?/g)].map(
      ([, page, anchor]) => ({ file, problem: findProblem(`spec/${page}`, anchor) }),
    ),
  );
  t.true(citations.length > 100, `${citations.length} citations`);
  t.deepEqual(
    citations.filter(({ problem }) => problem !== null),
    [],
  );
});

test('every link between pages leads somewhere', (t) => {
  const pages = listFiles('spec', /\.md$/);
  const links = pages.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)/g)].map(
      ([, path, anchor]) => {
        const target = path === '' ? file : relative(root, join(root, dirname(file), path!));
        const problem = anchor === undefined ? null : findProblem(target, anchor);
        return { file, problem: existsSync(join(root, target)) ? problem : `${target} does not exist` };
      },
    ),
  );
  t.true(links.length > 50, `${links.length} links`);
  t.deepEqual(
    links.filter(({ problem }) => problem !== null),
    [],
  );
});

test('the index names every page', (t) => {
  const index = readFileSync(join(root, 'spec/README.md'), 'utf8');
  const pages = readdirSync(join(root, 'spec')).filter((name) => name.endsWith('.md') && name !== 'README.md');
  t.deepEqual(
    pages.filter((page) => !index.includes(`](${page})`)),
    [],
  );
});
