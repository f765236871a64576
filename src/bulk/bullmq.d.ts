/** Types for the used part of two optional packages, so that the sources can be compiled and checked without them. */
declare module 'bullmq' {
  export interface JobData {
    readonly out: string;
    readonly plan: string;
    readonly shard: number;
    /** The shard's. */
    readonly name: string;
    /** Whether to process it if it is done, since images could not be read. */
    readonly isAgain?: boolean;
  }

  export interface JobResult {
    readonly images: number;
    readonly unread: number;
    readonly seconds: number;
    /** Whether the output shard was there already. */
    readonly isRepeated: boolean;
  }

  export interface JobProgress {
    readonly done: number;
    readonly total: number;
  }

  interface JobOptions {
    readonly jobId: string;
    readonly attempts: number;
    readonly backoff: { readonly type: 'exponential'; readonly delay: number };
  }

  interface NewJob {
    readonly name: string;
    readonly data: JobData;
    readonly opts: JobOptions;
  }

  type State = 'waiting' | 'active' | 'delayed' | 'failed' | 'completed';

  export interface Job {
    readonly data: JobData;
    readonly opts: JobOptions;
    readonly attemptsMade: number;
    readonly progress: JobProgress | number;
    readonly failedReason?: string;
    readonly returnvalue: JobResult | null;
    readonly processedOn?: number;
    readonly finishedOn?: number;
    updateProgress(progress: JobProgress): Promise<void>;
    /** Throws if a worker has it. */
    remove(): Promise<void>;
    retry(state: 'failed', options: { readonly resetAttemptsMade: boolean }): Promise<void>;
  }

  interface Connection {
    readonly url: string;
    readonly maxRetriesPerRequest?: null;
  }

  export class Queue {
    constructor(name: string, options: { readonly connection: Connection });
    addBulk(jobs: readonly NewJob[]): Promise<Job[]>;
    /** Returns 0 if a worker has it. */
    remove(id: string): Promise<number>;
    getJobCounts(...states: State[]): Promise<Record<State, number>>;
    /** The latest first. */
    getJobs(states: readonly State[], start: number, end: number): Promise<(Job | undefined)[]>;
    close(): Promise<void>;
    on(event: 'error', listener: (error: Error) => void): this;
  }

  export class Worker {
    constructor(
      name: string,
      process: (job: Job) => Promise<JobResult>,
      options: {
        readonly connection: Connection;
        readonly concurrency: number;
        readonly lockDuration: number;
        readonly stalledInterval: number;
        readonly maxStalledCount: number;
      },
    );
    /** Waits for the job in progress. */
    close(): Promise<void>;
    on(event: 'ready', listener: () => void): this;
    on(event: 'active', listener: (job: Job) => void): this;
    on(event: 'completed', listener: (job: Job, result: JobResult) => void): this;
    on(event: 'failed', listener: (job: Job | undefined, error: Error) => void): this;
    on(event: 'stalled', listener: (id: string) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
  }
}

declare module 'ioredis' {
  export class Redis {
    constructor(
      url: string,
      options: {
        readonly lazyConnect: boolean;
        readonly connectTimeout: number;
        readonly maxRetriesPerRequest: number;
        readonly retryStrategy: () => null;
      },
    );
    connect(): Promise<void>;
    info(section: string): Promise<string>;
    disconnect(): void;
    on(event: 'error', listener: (error: Error) => void): this;
  }
}
