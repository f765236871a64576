/**
 * Serve models to many clients.
 *
 * @module serve
 */

export {
  Batcher,
  type BatcherInput,
  type BatcherOptions,
  type CallOptions,
  createBatcher,
} from '../batcher/batcher.ts';
export type { Computed } from '../batcher/networks.ts';
export type { BatchReport, GatherOptions } from '../batcher/options.ts';
export { QueueFullError } from '../batcher/queue-full.ts';
export type { LogEntry, ServeOptions } from '../serve/options.ts';
export { type Server, serve } from '../serve/server.ts';
