#!/usr/bin/env node
/**
 * The outermost file of the command line, and the only one that turns errors into messages and exit codes. 0: success;
 * 1: unusable input, explained in one sentence, or a bug, with a stack trace; 130: interrupted.
 */
import { CommanderError } from 'commander';
import pc from 'picocolors';
import { FormatError, UsageError } from '../errors.ts';
import { OptionError } from '../options.ts';
import { createProgram } from './program.ts';

/** Prints an error and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof UsageError || error instanceof FormatError) {
    const message = error instanceof OptionError ? error.typed : error.message;
    process.stderr.write(`${pc.red('error:')} ${message}\n`);
    return 1;
  }
  process.stderr.write(
    `${pc.red('bug:')} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
}

/** The reader of a pipe may stop early, as `head` does. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
