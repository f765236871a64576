/** What both platforms check before they open a session, and how they report what ONNX Runtime refuses. */

import { UsageError } from '../errors.ts';
import { checkGiven, whole } from '../options.ts';
import type { SessionOptions } from './contract.ts';

/** Throws a UsageError for a number of threads that ONNX Runtime would refuse, or wait for forever. */
export function checkThreads({ threads }: SessionOptions): void {
  checkGiven({ threads: whole({ from: 1, doc: 'threads that compute' }) }, { threads });
}

/** Throws a UsageError for execution providers that are not among those there are. */
export function checkProviders(providers: readonly string[], available: readonly string[]): void {
  const unknown = providers.find((provider) => !available.includes(provider));
  if (providers.length > 0 && unknown === undefined) return;
  const got = unknown === undefined ? 'providers is empty' : `There is no execution provider "${unknown}" here`;
  throw new UsageError(`${got}; choose from ${available.join(', ')}.`);
}

/** What `action` returns; an error of ONNX Runtime is led by the node that it is about. */
export async function withNodeName<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof UsageError ? error : named(error as Error);
  }
}

/** ONNX Runtime's complaint, led by the node that it is about. */
export function named(error: Error): UsageError {
  const { message } = error;
  const found = /running (\S+) node\. Name:'([^']*)' Status Message: (.*)/s.exec(message);
  if (found) return new UsageError(`${found[1]} "${found[2]}": ${reason(found[3]!)}`, { cause: error });
  return new UsageError(`ONNX Runtime: ${message.trim()}`, { cause: error });
}

/** Without the place in ONNX Runtime's source and the condition that failed there. */
const reason = (status: string): string => status.replace(/^\/\S+:\d+ .* was false\. /s, '').trim();
