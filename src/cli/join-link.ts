/**
 * The link that people paste to let somebody in: `tapestry:<network id>@<multiaddr>[,<multiaddr>…]`.
 * It names the network by its hash, so whoever answers at the addresses cannot put another one in its place.
 */
import { multiaddr } from '@multiformats/multiaddr';
import { TapestryError } from '../protocol/errors.ts';

/** What a link says. */
export interface JoinLink {
  /** lower-case hex of 32 bytes */
  readonly networkId: string;
  /** one to sixteen multiaddresses */
  readonly addresses: readonly string[];
}

const mostAddresses = 16;

/** Writes a link. */
export function formatJoinLink({ networkId, addresses }: JoinLink): string {
  return `tapestry:${networkId}@${addresses.join(',')}`;
}

/**
 * Reads a link.
 * @throws {TapestryError} `link-invalid`
 */
export function parseJoinLink(text: string): JoinLink {
  const match = /^tapestry:([^@]*)@(.*)$/s.exec(text.trim());
  if (match === null) throw invalid('tapestry:<network id>@<address>', text);
  const [, networkId = '', list = ''] = match;
  if (!/^[0-9a-f]{64}$/.test(networkId)) throw invalid('a network id of 64 lower-case hex digits', networkId);
  const addresses = list.split(',');
  if (addresses.length > mostAddresses) throw invalid(`at most ${mostAddresses} addresses`, `${addresses.length}`);
  for (const address of addresses) {
    if (!isPeerAddress(address)) throw invalid('addresses like /ip4/192.0.2.1/tcp/4731/p2p/<peer id>', address);
  }
  return { networkId, addresses };
}

function isPeerAddress(text: string): boolean {
  try {
    return multiaddr(text)
      .getComponents()
      .some((component) => component.name === 'p2p');
  } catch {
    return false;
  }
}

function invalid(expected: string, found: string): TapestryError {
  const shown = found.length > 80 ? `${found.slice(0, 77)}...` : found;
  return new TapestryError(
    'link-invalid',
    `the link: expected ${expected}, found ${JSON.stringify(shown)}`,
    'Copy the whole line that "tapestry-peer" printed, from "tapestry:" to its end, in quotes.',
    { expected, found: shown },
  );
}
