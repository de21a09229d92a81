/** Finding a TCP port to listen on, and saying clearly when there is none. */

import { createServer } from 'node:net';
import { TapestryError } from '../../protocol/errors.ts';

/** The port a peer takes if it can. */
export const defaultPort = 4731;

const portsTried = 100;

/** Whether `port` of `host` can be listened on now. */
export async function isPortFree(host: string, port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
    else reject(error);
  });
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  return await promise;
}

/**
 * The first free TCP port at or after `from`, at most a hundred on.
 * Another program may take it before it is used: `Network.start` then fails with `port-in-use`.
 *
 * @param host address to listen on, for example `127.0.0.1`
 * @throws {TapestryError} `no-free-port`
 */
export async function findFreePort(host: string, from: number = defaultPort): Promise<number> {
  const last = Math.min(from + portsTried - 1, 65_535);
  for (let port = from; port <= last; port++) {
    if (await isPortFree(host, port)) return port;
  }
  throw new TapestryError(
    'no-free-port',
    `No free TCP port on ${host} between ${from} and ${last}.`,
    'Stop what listens there, or choose another port with --port.',
    { host, from, last },
  );
}
