/** The error for an image that cannot be read, with the same wording on both platforms. */
import { FormatError } from '../errors.ts';

export const unreadable = (name: string, reason: string, cause?: unknown): FormatError =>
  new FormatError(`Image "${name}" cannot be read: ${reason}. Replace or remove it.`, { cause });

export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

export const firstLine = (cause: unknown): string => messageOf(cause).split('\n')[0]!.trim();
