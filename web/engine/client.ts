/** The page's side of the engine. The worker starts with the first request. */
import type { Kind, Reply, Requests } from './protocol.ts';

interface Waiting {
  readonly progress: (progress: unknown) => void;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Engine {
  #worker: Worker | undefined;
  #waiting = new Map<number, Waiting>();
  #next = 0;

  /**
   * Sends a request.
   *
   * @throws Error in a sentence, if it cannot be answered or if the engine is stopped.
   * @example const proof = await engine.request('prove', choice, show);
   */
  request<K extends Kind>(
    kind: K,
    argument: Requests[K]['argument'],
    onProgress: (progress: Requests[K]['progress']) => void = () => {},
  ): Promise<Requests[K]['answer']> {
    const worker = this.#started();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {
        progress: onProgress as Waiting['progress'],
        resolve: resolve as Waiting['resolve'],
        reject,
      });
      worker.postMessage({ id, kind, argument });
    });
  }

  /** Ends the worker and frees its memory. Requests that are not answered yet are rejected. */
  stop(reason = 'It was stopped.'): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new Error(reason));
  }

  #started(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => this.#receive(data));
    worker.addEventListener('error', ({ message }) =>
      this.stop(`The engine stopped${message ? ` (${message})` : ''}. Check the connection and try again.`),
    );
    this.#worker = worker;
    return worker;
  }

  #receive(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    if ('progress' in reply) {
      waiting.progress(reply.progress);
      return;
    }
    this.#waiting.delete(reply.id);
    if ('error' in reply) waiting.reject(new Error(reply.error));
    else waiting.resolve(reply.answer);
  }
}
