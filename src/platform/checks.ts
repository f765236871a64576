/** Checks that both platforms make before opening a session, and the errors for what ONNX Runtime refuses. */

import { bytes, checkOptions, type FieldsOf, hasAll, kind, object, path } from '../arguments.ts';
import { FormatError, UsageError } from '../errors.ts';
import { graphKind } from '../graph/graph.ts';
import { list, maxThreads, oneOf, text, whole } from '../options.ts';
import type { SessionOptions } from './contract.ts';

/** `SessionOptions` with their checks. ONNX Runtime would refuse other numbers of threads, or hang. */
export const sessionFields: FieldsOf<SessionOptions> = {
  threads: whole({ from: 1, to: maxThreads, doc: 'threads that compute' }),
  providers: list(text({ expected: 'a name', doc: 'a provider' }), { doc: 'execution providers' }),
  optimization: oneOf(['disabled', 'basic', 'extended', 'all'], { doc: 'optimization of the graph' }),
  wasmPaths: object(
    'a URL, or an object with mjs, wasm or both',
    (paths) => typeof paths === 'string' || hasAll(paths, 'mjs') || hasAll(paths, 'wasm'),
  ),
};

/** A graph or file to open, as an argument. */
export const openableKind = kind('a graph, the bytes of an ONNX file, or its path', (model) => {
  return graphKind.accepts(model) || bytes.accepts(model) || path.accepts(model);
});

/** Throws a UsageError for unknown or invalid options. */
export const checkSessionOptions = (options: SessionOptions): void => checkOptions(sessionFields, options);

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
