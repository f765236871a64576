/** Ctrl-C and requests to end. */

/** The exit code of an interrupted command. */
export const interruptedCode = 130;

/** Calls a function for each of these signals, which then do not end the process, until the returned one is called. */
export function onInterrupt(action: () => void): () => void {
  process.on('SIGINT', action).on('SIGTERM', action);
  return () => void process.off('SIGINT', action).off('SIGTERM', action);
}
