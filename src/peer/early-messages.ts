/**
 * Messages that came before this peer was ready for them: of the round it is about to begin, or of the next one. Bounded
 * by signer and in all; whatever does not fit is asked for later, like lost gossip.
 */
import type { SignedMessage } from '../protocol/envelope.ts';

const maxPerKey = 16;
const maxBytes = 8 * 1024 * 1024;

/** A small waiting room. */
export class EarlyMessages {
  #messages: SignedMessage[] = [];
  #bytes = 0;
  readonly #counts: Map<string, number> = new Map();

  /** Keeps a message if there is room. */
  add(signed: SignedMessage): void {
    const { key } = signed.message;
    const count = this.#counts.get(key) ?? 0;
    if (count < maxPerKey && this.#bytes + signed.envelope.length <= maxBytes) {
      this.#counts.set(key, count + 1);
      this.#bytes += signed.envelope.length;
      this.#messages.push(signed);
    }
  }

  /** Everything that waited, in order of arrival; the room is empty afterwards. */
  take(): SignedMessage[] {
    const taken = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    this.#counts.clear();
    return taken;
  }
}
