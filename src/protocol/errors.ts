/**
 * The errors that people see. A peer's bad message is never one of these: it is an outcome with a reason
 * (`outcome.ts`). These are for operations that failed and that a person can do something about.
 */

/**
 * An operation failed. The message says what, which, expected and found; `remedy` says what to do next.
 * Callers match on `code`, never on the text; the facts are in `facts`.
 */
export class TapestryError extends Error {
  override readonly name: string = 'TapestryError';
  readonly code: string;
  readonly remedy: string;
  readonly facts: Readonly<Record<string, unknown>>;

  /**
   * @param code stable, kebab-case, for example `manifest-unknown-key`
   * @param message one line: what failed, where, what was expected and what was found
   * @param remedy one line: what to do next
   */
  constructor(
    code: string,
    message: string,
    remedy: string,
    facts: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.remedy = remedy;
    this.facts = facts;
  }
}
