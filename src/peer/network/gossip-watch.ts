/**
 * Keeps gossip alive. When a gossip stream dies (a frame over its limit, a backlog over its limit) the connection
 * stays up and the router opens no new stream: both sides look connected and hear nothing. This looks for such
 * connections and closes them, so that they are dialled anew. spec/network.md#gossip
 */

import type { Connection } from '@libp2p/interface';

const gossipPrefix = '/meshsub/';

/** Whether gossip flows both ways over the connections to one peer. */
export function hasGossip(connections: readonly Connection[]): boolean {
  const open = connections.flatMap((connection) =>
    connection.streams.filter((stream) => stream.protocol.startsWith(gossipPrefix) && stream.status === 'open'),
  );
  return (
    open.some((stream) => stream.direction === 'inbound') && open.some(({ direction }) => direction === 'outbound')
  );
}

/** Looks in a row without gossip after which a connection is made anew; doubled each time it does not help. */
const firstPatience = 2;
const longestPatience = 64;
/** Peers whose patience is remembered; all are forgotten when there are more. */
const peersKept = 1000;

/** Finds connected peers that gossip does not reach. */
export class GossipWatch {
  readonly #peers = new Map<string, { missed: number; patience: number }>();

  /**
   * One look at all connections.
   * @returns ids of the peers to connect to anew
   */
  check(connectionsByPeer: ReadonlyMap<string, readonly Connection[]>): string[] {
    if (this.#peers.size > peersKept) this.#peers.clear();
    const lost: string[] = [];
    for (const [peer, connections] of connectionsByPeer) {
      if (hasGossip(connections)) {
        this.#peers.delete(peer);
        continue;
      }
      const { missed, patience } = this.#peers.get(peer) ?? { missed: 0, patience: firstPatience };
      if (missed + 1 < patience) this.#peers.set(peer, { missed: missed + 1, patience });
      else {
        this.#peers.set(peer, { missed: 0, patience: Math.min(2 * patience, longestPatience) });
        lost.push(peer);
      }
    }
    return lost;
  }
}
