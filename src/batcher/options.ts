/** How requests are gathered into batches. */
import type { FieldsOf } from '../arguments.ts';
import { callback } from '../arguments.ts';
import { real, whole } from '../options.ts';

/** What a batch computes: logits and features, or an explanation. */
export const tasks = ['classify', 'explain'] as const;

/** A batch that has run, for statistics. */
export interface BatchReport {
  readonly task: (typeof tasks)[number];
  readonly images: number;
  /** Milliseconds for which its first image had waited, when it was prepared, and those of the run. */
  readonly waited: number;
  readonly took: number;
}

/** How images of many callers are gathered into batches. */
export interface GatherOptions {
  /** Maximum number of images that run at a time. Default: 8. */
  readonly maxBatch?: number;
  /** Milliseconds to wait for further images before an incomplete batch runs. Default: 5. */
  readonly maxWait?: number;
  /** Maximum number of images that wait or run. Further ones are refused. Default: 256. */
  readonly maxQueue?: number;
  /** Called after each batch. */
  readonly onBatch?: (report: BatchReport) => void;
}

/** `GatherOptions` with their checks. */
export const gatherFields = {
  maxBatch: whole({
    from: 1,
    to: 1024,
    default: 8,
    flag: '--max-batch <n>',
    group: 'Machine',
    doc: 'images that run at a time',
  }),
  maxWait: real({
    from: 0,
    to: 1000,
    default: 5,
    flag: '--max-wait <ms>',
    group: 'Machine',
    doc: 'milliseconds to wait for further images before an incomplete batch runs',
  }),
  maxQueue: whole({
    from: 1,
    default: 256,
    flag: '--max-queue <n>',
    group: 'Limits',
    doc: 'images that wait or run; further requests are answered with 429',
  }),
  onBatch: callback('called after each batch'),
} satisfies FieldsOf<GatherOptions>;
