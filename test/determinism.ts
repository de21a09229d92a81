/** What the linter does not know: nothing that decides may draw randomness of its own. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';

const root = join(import.meta.dirname, '..');

for (const folder of ['src/protocol', 'src/trainer', 'src/verification', 'simulations']) {
  test(`nothing in ${folder} draws randomness that is not an argument`, async (t) => {
    const files = (await readdir(join(root, folder), { recursive: true })).filter((name) => name.endsWith('.ts'));
    t.true(files.length > 0);
    for (const file of files) {
      const text = await readFile(join(root, folder, file), 'utf8');
      t.notRegex(text, /Math\.random|randomBytes|randomUUID|getRandomValues/, file);
    }
  });
}
