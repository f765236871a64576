/** Worker threads with piscina, each with its own queue. */
import { availableParallelism } from 'node:os';
import type { Workers, WorkersOptions } from '../contract.ts';
import { openDecoder } from './decode.ts';

export async function startWorkers<Job, Result>(options: WorkersOptions): Promise<Workers<Job, Result>> {
  await openDecoder(); // sharp must be loaded here before threads load it
  const { Piscina } = await import('piscina');
  const pool = new Piscina<Job, Result>({
    filename: new URL(`../../${options.module}`, import.meta.url).href,
    name: options.name,
    minThreads: options.threads,
    maxThreads: options.threads,
    concurrentTasksPerWorker: options.queue,
  });
  return { threads: options.threads, run: (job) => pool.run(job), close: () => pool.destroy() };
}

export const availableCores = (): number => availableParallelism();

export const availableMemory = (): number => process.availableMemory();
