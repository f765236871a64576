/** The page's side of a session: sends requests to its worker and receives the answers. */
import { UsageError } from '../../errors.ts';
import { closedError } from '../lifetime.ts';
import type { Kind, Reply, Requests } from './protocol.ts';

export class WorkerClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (reply: Reply | UsageError) => void>();
  #next = 0;
  #isLoaded = false;
  /** Why the worker was closed. */
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

  /** Sends a request, transferring the arrays in `transfer`. Rejects with ONNX Runtime's reason. */
  request<K extends Kind>(kind: K, argument: Requests[K][0], transfer: ArrayBuffer[] = []): Promise<Requests[K][1]> {
    if (this.#end) return Promise.reject(this.#end);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (reply) => {
        if (reply instanceof UsageError) reject(reply);
        else if ('error' in reply) reject(new Error(reply.error));
        else resolve(reply.answer as Requests[K][1]);
      });
      this.#worker.postMessage({ id, kind, argument }, transfer);
    });
  }

  /** Ends the worker and frees the runtime's memory. */
  close(reason = closedError()): void {
    this.#end ??= reason;
    this.#worker.terminate();
    for (const settle of this.#waiting.values()) settle(this.#end);
    this.#waiting.clear();
  }
}

/** The error of a worker that failed to load. Either its script or the runtime may be missing. */
function failure(message: string | undefined): UsageError {
  const remedy = 'Run `npm install onnxruntime-web`, and serve the worker script that the bundler emitted';
  return new UsageError(`ONNX Runtime's worker failed to load${message ? ` (${message})` : ''}. ${remedy}.`);
}

const crash = (message: string | undefined): UsageError =>
  new UsageError(`ONNX Runtime's worker stopped${message ? ` (${message})` : ''}. Open the session again.`);
