/**
 * The two errors that a person can mend. The command line prints their message alone and exits with 1; anything else
 * that is thrown is a defect of this package and keeps its stack.
 */

/** An option, argument or value that cannot be used. The message names it, what it is, what was expected, what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A file that is not what its name or header promises. The message names the file. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}
