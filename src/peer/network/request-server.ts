/**
 * Answers requests: one frame in, one frame out, on a stream of its own. A peer that asks too much at once, sends a
 * frame that is too large, or is too slow gets a reset; so does one whose request the handler cannot answer.
 * spec/network.md#requests
 */

import type { Connection, Stream, StreamHandler } from '@libp2p/interface';
import { abortLater, readFrame, writeFrame } from './frame.ts';
import type { NetworkLogger, RequestHandler } from './network.ts';
import type { NetworkLimits } from './network-limits.ts';

/** Serves the requests of all protocols of one node, so that their number is bounded together. */
export class RequestServer {
  readonly #limits: NetworkLimits;
  readonly #logger: NetworkLogger | undefined;
  readonly #servedByPeer = new Map<string, number>();
  #served = 0;

  constructor(limits: NetworkLimits, logger?: NetworkLogger) {
    this.#limits = limits;
    this.#logger = logger;
  }

  /** Makes a libp2p stream handler of a request handler. */
  createStreamHandler(handler: RequestHandler, maxRequestBytes: number): StreamHandler {
    return async (stream, connection) => {
      const peer = connection.remotePeer.toString();
      const served = this.#servedByPeer.get(peer) ?? 0;
      if (served >= this.#limits.maxServedPerPeer || this.#served >= this.#limits.maxServed) {
        this.#logger?.debug('request.refused', { peer, protocol: stream.protocol, served, servedInAll: this.#served });
        stream.abort(new Error('too many requests at once'));
        return;
      }
      this.#servedByPeer.set(peer, served + 1);
      this.#served++;
      try {
        await this.#serve(stream, connection, handler, maxRequestBytes);
      } catch (error) {
        this.#logger?.debug('request.failed', { peer, protocol: stream.protocol, reason: String(error) });
        stream.abort(error instanceof Error ? error : new Error(String(error)));
      } finally {
        this.#served--;
        const left = (this.#servedByPeer.get(peer) ?? 1) - 1;
        if (left === 0) this.#servedByPeer.delete(peer);
        else this.#servedByPeer.set(peer, left);
      }
    };
  }

  async #serve(stream: Stream, connection: Connection, handler: RequestHandler, maxBytes: number): Promise<void> {
    const { readTimeoutMs, writeTimeoutMs, writeHighWaterBytes } = this.#limits;
    const request = await withDeadline(stream, readTimeoutMs, () => readFrame(stream, maxBytes));
    const response = await handler(request, connection.remotePeer.toString());
    await withDeadline(stream, writeTimeoutMs, () => writeFrame(stream, response, writeHighWaterBytes));
  }
}

/** Runs `step`; the stream is aborted if it takes longer than `timeoutMs`. */
async function withDeadline<T>(stream: Stream, timeoutMs: number, step: () => Promise<T>): Promise<T> {
  const cancel = abortLater(stream, timeoutMs);
  try {
    return await step();
  } finally {
    cancel();
  }
}
