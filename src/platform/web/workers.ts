/** A page has no worker threads for images: the browser decodes off the page's thread, and the rest runs on it. */
import type { Workers } from '../contract.ts';

export const startWorkers = async <Job, Result>(): Promise<Workers<Job, Result> | undefined> => undefined;

export const availableCores = (): number => navigator.hardwareConcurrency ?? 1;

/** A page cannot ask for the memory that is left; a tab usually has this much. */
export const availableMemory = (): number => 2 ** 30;
