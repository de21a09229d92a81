/** Asks one question on a fresh stream and reads the answer. spec/network.md#requests */

import type { Connection, Stream } from '@libp2p/interface';
import { TapestryError } from '../../protocol/errors.ts';
import { abortLater, FrameError, readFrame, writeFrame } from './frame.ts';
import type { RequestOptions } from './network.ts';
import type { NetworkLimits } from './network-limits.ts';

/** How long the server may take to close its side after the answer is whole. */
const lingerMs = 2_000;

/**
 * Sends `bytes` to the peer of `connection` and returns its answer.
 * @param protocol full protocol id
 * @throws {TapestryError} `protocol-unsupported`, `response-too-large`, `response-truncated`, `request-failed`; on
 *   abort, the signal's reason
 */
export async function sendRequest(
  connection: Connection,
  protocol: string,
  bytes: Uint8Array,
  options: RequestOptions,
  limits: NetworkLimits,
): Promise<Uint8Array> {
  const { signal, maxResponseBytes } = options;
  signal?.throwIfAborted();
  const deadline = AbortSignal.timeout(limits.responseTimeoutMs);
  let stream: Stream | undefined;
  let cancel = (): void => {};
  try {
    stream = await connection.newStream(protocol, {
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    });
    cancel = abortLater(stream, limits.responseTimeoutMs, signal);
    await writeFrame(stream, bytes, limits.writeHighWaterBytes);
    const response = await readFrame(stream, Math.min(maxResponseBytes, limits.maxFrameBytes));
    letGo(stream);
    return response;
  } catch (error) {
    stream?.abort(error instanceof Error ? error : new Error(String(error)));
    signal?.throwIfAborted();
    throw describe(error, connection.remotePeer.toString(), protocol, maxResponseBytes);
  } finally {
    cancel();
  }
}

/** The answer is whole: the stream is of no more use, but the server may not know that all has arrived. */
function letGo(stream: Stream): void {
  if (stream.status !== 'open') return;
  const timer = setTimeout(() => stream.abort(new Error('the answer was whole')), lingerMs);
  timer.unref();
  stream.addEventListener('close', () => clearTimeout(timer), { once: true });
}

/** What went wrong, in words for people, with a code for callers. */
function describe(error: unknown, peer: string, protocol: string, maxResponseBytes: number): TapestryError {
  const facts = { peer, protocol };
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof FrameError && error.fault === 'too-large') {
    return new TapestryError(
      'response-too-large',
      `Peer ${peer} answered ${protocol} with more than the ${maxResponseBytes} bytes allowed: ${reason}.`,
      'Ask another peer.',
      facts,
      error,
    );
  }
  if (error instanceof FrameError && error.fault === 'truncated') {
    return new TapestryError(
      'response-truncated',
      `The answer of peer ${peer} to ${protocol} was cut short: ${reason}.`,
      'Ask again, or ask another peer.',
      facts,
      error,
    );
  }
  if (error instanceof Error && error.name === 'UnsupportedProtocolError') {
    return new TapestryError(
      'protocol-unsupported',
      `Peer ${peer} does not speak ${protocol}.`,
      'It may run another version, or be of another network: check both.',
      facts,
      error,
    );
  }
  return new TapestryError(
    'request-failed',
    `The request ${protocol} to peer ${peer} failed: ${reason}.`,
    'Ask again later, or ask another peer.',
    facts,
    error,
  );
}
