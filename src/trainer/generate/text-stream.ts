/**
 * Tokens to text while they come. A character may be spread over several tokens: it is held back until it is whole,
 * so that nothing shown is ever taken back. spec/generation.md#text
 */

/** The part of a tokenizer that text is made with. */
export interface TokenDecoder {
  /** bytes of the text that tokens stand for, UTF-8 as far as the tokens are */
  decode(tokens: ArrayLike<number>): Uint8Array;
}

/** What stands for bytes that are no UTF-8, and so for a character that has only begun. */
const replacement = '\uFFFD';

/** Tokens of the prompt that are decoded along, because the text of a token may depend on what is before it. */
const promptTokens = 8;

/** Text of tokens that follow a prompt. */
export class TextStream {
  readonly #tokenizer: TokenDecoder;
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  /** the last tokens with text of their own, then those that came later */
  #tokens: number[];
  /** how many of them are there only for those that follow */
  #before: number;
  /** characters of the text of `#tokens` that are out already */
  #shown: number;

  constructor(tokenizer: TokenDecoder, prompt: ArrayLike<number>) {
    this.#tokenizer = tokenizer;
    this.#tokens = Array.from(prompt).slice(-promptTokens);
    this.#before = this.#tokens.length;
    this.#shown = this.#decode().length;
  }

  /** Adds a token; returns the text that is certain now and was not before. */
  push(token: number): string {
    this.#tokens.push(token);
    const text = this.#decode();
    const isWhole = !text.endsWith(replacement);
    const fresh = this.#take(text, text.length - (isWhole ? 0 : 1));
    if (isWhole) {
      this.#tokens = this.#tokens.slice(this.#before);
      this.#before = this.#tokens.length;
      this.#shown = this.#decode().length;
    }
    return fresh;
  }

  /** The rest, when no token follows: what is not whole stays broken. */
  end(): string {
    const text = this.#decode();
    return this.#take(text, text.length);
  }

  #take(text: string, end: number): string {
    const fresh = text.slice(this.#shown, Math.max(this.#shown, end));
    this.#shown += fresh.length;
    return fresh;
  }

  #decode(): string {
    return this.#utf8.decode(this.#tokenizer.decode(this.#tokens));
  }
}
