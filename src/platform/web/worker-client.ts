/** The page's side of a session's worker: requests and their answers, until the worker is closed. */
import { UsageError } from '../../errors.ts';
import { disposedOf } from '../lifetime.ts';
import type { Kind, Reply, Requests } from './protocol.ts';

export class WorkerClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (reply: Reply | UsageError) => void>();
  #next = 0;
  #isLoaded = false;
  /** Why nothing can be asked any more. */
  #end: UsageError | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
      this.#isLoaded = true;
      this.#waiting.get(data.id)?.(data);
      this.#waiting.delete(data.id);
    });
    worker.addEventListener('error', ({ message }) => this.close(this.#isLoaded ? crash(message) : failure(message)));
  }

  /** Asks the worker; `transfer` lists arrays that it may take away. Throws with ONNX Runtime's reason. */
  request<K extends Kind>(kind: K, asked: Requests[K][0], transfer: ArrayBuffer[] = []): Promise<Requests[K][1]> {
    if (this.#end) return Promise.reject(this.#end);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (reply) => {
        if (reply instanceof UsageError) reject(reply);
        else if ('error' in reply) reject(new Error(reply.error));
        else resolve(reply.answer as Requests[K][1]);
      });
      this.#worker.postMessage({ id, kind, asked }, transfer);
    });
  }

  /** Ends the worker, and with it all that the runtime holds. */
  close(reason = disposedOf()): void {
    this.#end ??= reason;
    this.#worker.terminate();
    for (const settle of this.#waiting.values()) settle(this.#end);
    this.#waiting.clear();
  }
}

/** The worker's script needs the runtime, so that either may be what is missing. */
function failure(message: string | undefined): UsageError {
  const remedy = 'Install it with `npm install onnxruntime-web`, and serve the worker that the bundler made of it';
  return new UsageError(`ONNX Runtime's worker failed to load${message ? ` (${message})` : ''}. ${remedy}.`);
}

const crash = (message: string | undefined): UsageError =>
  new UsageError(`ONNX Runtime's worker stopped${message ? ` (${message})` : ''}. Open the session again.`);
