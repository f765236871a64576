#!/usr/bin/env node
/**
 * The command line's outermost file, and the one place that turns errors into messages and exit codes. 0: done; 1: the
 * input cannot be used, said in one sentence; 130: interrupted.
 */
import { CommanderError } from 'commander';
import pc from 'picocolors';
import { FormatError, UsageError } from '../errors.ts';
import { OptionError } from '../options.ts';
import { createProgram } from './program.ts';

/** Says what went wrong and gives the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof UsageError || error instanceof FormatError) {
    const message = error instanceof OptionError ? error.typed : error.message;
    process.stderr.write(`${pc.red('error')} ${message}\n`);
    return 1;
  }
  process.stderr.write(
    `${pc.red('defect')} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
}

/** Whoever reads our output may stop reading, as `head` does. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
