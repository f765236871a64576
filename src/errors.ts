/**
 * The two errors that a user can fix. The command line prints just their message and exits with 1. Any other error
 * is a bug in this package and keeps its stack trace.
 */

/** An invalid option, argument or value. The message says what was given, what was expected and what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * A file that is not what its name or header claims. The message names the file. Names inside a file may be hostile, so
 * control characters, which a terminal would interpret, are escaped, and long messages are truncated.
 */
export class FormatError extends Error {
  override readonly name = 'FormatError';

  constructor(message: string, options?: ErrorOptions) {
    super(printable(shortened(message)), options);
  }
}

const lengthLimit = 2000;

function shortened(message: string): string {
  const half = lengthLimit / 2;
  return message.length > lengthLimit ? `${message.slice(0, half)} … ${message.slice(-half)}` : message;
}

/** Characters that a terminal obeys, or that change the order or lines of the text around them. */
const controls = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Text that is safe to print on one line: control characters are escaped as in JSON. Names may contain anything. */
export const printable = (text: string): string =>
  text.replace(controls, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** What an error says; anything may be thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
