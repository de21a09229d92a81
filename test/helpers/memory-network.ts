/** Peers that reach each other by function call: requests, handlers, and a list of what was published. */
import type {
  ConnectedPeer,
  MessageVerdict,
  Network,
  RequestHandler,
  RequestOptions,
} from '../../src/peer/network/network.ts';
import { TapestryError } from '../../src/protocol/errors.ts';

/** Where a set of fake peers find each other. */
export class MemoryHub {
  readonly #handlers: Map<string, RequestHandler> = new Map();
  readonly #networks: MemoryNetwork[] = [];

  /** A peer of this name; everyone is connected with everyone. */
  join(id: string, onMessage: (bytes: Uint8Array) => MessageVerdict = () => 'ignore'): MemoryNetwork {
    const network = new MemoryNetwork(id, this.#handlers, this.#networks, onMessage);
    this.#networks.push(network);
    return network;
  }
}

/** What most parts of a peer use of a network. */
export class MemoryNetwork implements Pick<Network, 'id' | 'peers' | 'request' | 'handle' | 'publish'> {
  readonly id: string;
  readonly published: Uint8Array[] = [];
  /** requests this peer made */
  readonly asked: { readonly peer: string; readonly protocol: string }[] = [];
  readonly onMessage: (bytes: Uint8Array) => MessageVerdict;
  readonly #handlers: Map<string, RequestHandler>;
  readonly #all: readonly MemoryNetwork[];

  constructor(
    id: string,
    handlers: Map<string, RequestHandler>,
    all: readonly MemoryNetwork[],
    onMessage: (bytes: Uint8Array) => MessageVerdict,
  ) {
    this.id = id;
    this.#handlers = handlers;
    this.#all = all;
    this.onMessage = onMessage;
  }

  peers(): ConnectedPeer[] {
    return this.#all.filter(({ id }) => id !== this.id).map(({ id }) => ({ id, addresses: [`/memory/${id}`] }));
  }

  handle(protocol: string, handler: RequestHandler): void {
    this.#handlers.set(`${this.id}/${protocol}`, handler);
  }

  async request(peer: string, protocol: string, bytes: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    this.asked.push({ peer, protocol });
    options.signal?.throwIfAborted();
    const handler = this.#handlers.get(`${peer}/${protocol}`);
    if (handler === undefined) {
      throw new TapestryError('protocol-unsupported', `${peer} does not know ${protocol}`, 'Ask another peer.');
    }
    const answer = await handler(bytes, this.id);
    if (answer.length > options.maxResponseBytes) {
      throw new TapestryError('response-too-large', `${answer.length} bytes`, 'Ask another peer.');
    }
    return answer;
  }

  async publish(bytes: Uint8Array): Promise<void> {
    this.published.push(bytes);
    for (const other of this.#all) {
      if (other !== this) {
        other.onMessage(bytes);
      }
    }
  }
}
