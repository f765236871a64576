/**
 * The two errors that a person can mend. The command line prints their message alone and exits with 1; anything else
 * that is thrown is a defect of this package and keeps its stack.
 */

/** An option, argument or value that cannot be used. The message names it, what it is, what was expected, what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * A file that is not what its name or header promises. The message names the file. Names from within a file may be hostile:
 * control characters, which a terminal would obey, are escaped, and what is very long is cut.
 */
export class FormatError extends Error {
  override readonly name = 'FormatError';

  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}

const lengthLimit = 2000;

const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;

function printable(message: string): string {
  const half = lengthLimit / 2;
  const short = message.length > lengthLimit ? `${message.slice(0, half)} … ${message.slice(-half)}` : message;
  return short.replace(/\p{Cc}/gu, escaped);
}
