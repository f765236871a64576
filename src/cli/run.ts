/**
 * The outermost file of the command line, which turns errors into messages and exit codes. 0: success; 1: unusable input,
 * explained in one sentence, or a bug, with a stack trace; 130: interrupted (`interrupt.ts`). A command that is interrupted at
 * once, or whose output nobody takes any more (`output.ts`), exits by itself.
 */
import { CommanderError } from 'commander';
import pc from 'picocolors';
import { FormatError, printable, UsageError } from '../errors.ts';
import { OptionError } from '../options.ts';
import { endWithReader, fitted } from './output.ts';
import { createProgram } from './program.ts';

/** Prints an error and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof UsageError || error instanceof FormatError) {
    const message = error instanceof OptionError ? error.typed : error.message;
    process.stderr.write(`${fitted(process.stderr, `${pc.red('error:')} ${printable(message)}`)}\n`);
    return 1;
  }
  process.stderr.write(
    `${pc.red('bug:')} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
}

process.stderr.on('error', () => {}); // there is nowhere left to report it
endWithReader(process.stdout); // of help and versions

try {
  await (await createProgram(process.argv[2])).parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
