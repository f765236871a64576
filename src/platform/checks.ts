/** Checks that both platforms make before opening a session, and the errors for what ONNX Runtime refuses. */

import { FormatError, UsageError } from '../errors.ts';
import { checkGiven, maxThreads, whole } from '../options.ts';
import type { SessionOptions } from './contract.ts';

/** Throws a UsageError for a number of threads that ONNX Runtime would refuse, or that would make it hang. */
export function checkThreads({ threads }: SessionOptions): void {
  checkGiven({ threads: whole({ from: 1, to: maxThreads, doc: 'threads that compute' }) }, { threads });
}

/** Throws a UsageError for execution providers that are not available, or an empty list. */
export function checkProviders(providers: readonly string[], available: readonly string[]): void {
  const unknown = providers.find((provider) => !available.includes(provider));
  if (providers.length > 0 && unknown === undefined) return;
  const got =
    unknown === undefined ? 'providers is empty' : `The execution provider "${unknown}" is not available here`;
  throw new UsageError(`${got}. Choose from ${available.join(', ')}.`);
}

/** Runs `action`. Errors of ONNX Runtime become UsageErrors that begin with the node's name. */
export async function withNodeName<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof UsageError || error instanceof FormatError ? error : named(error as Error);
  }
}

/** An error of ONNX Runtime as a UsageError that begins with the node's name, if ONNX Runtime gives one. */
export function named(error: Error): UsageError {
  const { message } = error;
  const found = /running (\S+) node\. Name:'([^']*)' Status Message: (.*)/s.exec(message);
  if (found) return new UsageError(`${found[1]} "${found[2]}": ${reason(found[3]!)}`, { cause: error });
  return new UsageError(`ONNX Runtime: ${message.trim()}`, { cause: error });
}

/** The message without the position in ONNX Runtime's source and the condition that failed. */
const reason = (status: string): string => status.replace(/^\/\S+:\d+ .* was false\. /s, '').trim();
