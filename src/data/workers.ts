/** Threads that read images. */
import { maxThreads, whole } from '../options.ts';

/** The option, for the tables of the command line and the library. */
export const workers = whole({
  from: 0,
  to: maxThreads,
  threads: true,
  flag: '--workers <n>',
  usual: 'one per core, at most 8',
  group: 'Machine',
  doc: 'threads that decode images; 0 decodes in the main thread',
});
