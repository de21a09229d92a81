import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { checkMemory, type Finding } from '../../../src/cli/commands/doctor.ts';
import { runProgram } from '../../../src/cli/program.ts';
import { createCaughtContext } from '../../helpers/fake-modules.ts';
import { makeTemporaryFolder } from '../../helpers/temporary-folder.ts';

async function examine(...args: string[]): Promise<{ code: number; healthy: boolean; states: Record<string, string> }> {
  const context = createCaughtContext();
  const code = await runProgram(['doctor', '--json', ...args], context);
  const { healthy, findings } = JSON.parse(context.out()) as { healthy: boolean; findings: Finding[] };
  return { code, healthy, states: Object.fromEntries(findings.map(({ check, state }) => [check, state])) };
}

test('a machine that can run the tests is healthy', async (t) => {
  const home = await makeTemporaryFolder(t);
  const { code, healthy, states } = await examine('--home', join(home, 'not', 'yet', 'there'), '--port', '0');
  t.is(code, 0);
  t.true(healthy);
  t.deepEqual(Object.keys(states), ['Node', 'memory', 'disk', 'port', 'identity', 'networks', 'training']);
  t.is(states.training, 'ok');
});

test('a busy port that was asked for is a problem', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const { code, states } = await examine('--home', await makeTemporaryFolder(t), '--port', String(port));
  t.is(code, 1);
  t.is(states.port, 'problem');
});

test('a damaged identity is a problem', async (t) => {
  const home = await makeTemporaryFolder(t);
  await writeFile(join(home, 'identity.seed'), 'short');
  const { code, states } = await examine('--home', home, '--port', '0');
  t.is(code, 1);
  t.is(states.identity, 'problem');
});

test('little memory is a warning with a remedy', (t) => {
  t.is(checkMemory(2e9).state, 'ok');
  t.like(checkMemory(5e8), { state: 'warning', found: '500 MB free' });
  t.truthy(checkMemory(5e8).remedy);
});

test('people read the same in lines', async (t) => {
  const context = createCaughtContext();
  await runProgram(['doctor', '--home', await makeTemporaryFolder(t), '--port', '0'], context);
  t.regex(context.out(), /^\+ Node {6}Node \d+/m);
});
