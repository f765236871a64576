/** A page has no worker threads for images. The browser decodes on its own threads; the rest runs on the page's thread. */
import type { Workers } from '../contract.ts';

export const startWorkers = async <Job, Result>(): Promise<Workers<Job, Result> | undefined> => undefined;

export const availableCores = (): number => navigator.hardwareConcurrency ?? 1;

/** A page cannot query the available memory. A tab usually has this much. */
export const availableMemory = (): number => 2 ** 30;
