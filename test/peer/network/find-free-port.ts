import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import test from 'ava';
import { findFreePort, isPortFree } from '../../../src/peer/network/find-free-port.ts';

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

test('takes the port asked for, or the next free one', async (t) => {
  const server = await listen(0);
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  t.false(await isPortFree('127.0.0.1', port));
  const found = await findFreePort('127.0.0.1', port);
  t.true(found > port);
  t.true(found <= port + 99);
  server.close();
  await once(server, 'close');
  t.true(await isPortFree('127.0.0.1', port));
});

test('says when there is none', async (t) => {
  const server = await listen(65_535).catch(() => null);
  t.teardown(() => server?.close());
  await t.throwsAsync(findFreePort('127.0.0.1', 65_535), { code: 'no-free-port' });
});
