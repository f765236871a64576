import { expect, test } from 'vitest';
import { WorkerClient } from './worker-client.ts';

/** Answers every request with no tensors, until it is told to fail. */
class FakeWorker extends EventTarget {
  isTerminated = false;
  answers = true;

  postMessage({ id }: { id: number }): void {
    if (this.answers) this.dispatchEvent(Object.assign(new Event('message'), { data: { id, answer: [] } }));
  }

  terminate(): void {
    this.isTerminated = true;
  }

  fail(message: string): void {
    this.dispatchEvent(Object.assign(new Event('error'), { message }));
  }
}

const run = (client: WorkerClient) => client.request('run', { feeds: [], fetches: [] });

const opened = () => {
  const worker = new FakeWorker();
  return { worker, client: new WorkerClient(worker as unknown as Worker) };
};

test('a worker whose script does not load says how to install it', async () => {
  const { worker, client } = opened();
  worker.answers = false;
  const waiting = run(client);
  worker.fail('404');
  await expect(waiting).rejects.toThrow(/^ONNX Runtime's worker failed to load \(404\)\. Run/);
  expect(worker.isTerminated).toBe(true);
});

test('a worker that crashes later fails what waits for it and what comes after', async () => {
  const { worker, client } = opened();
  expect(await run(client)).toEqual([]);
  worker.answers = false;
  const waiting = run(client);
  worker.fail('out of memory');
  const message = "ONNX Runtime's worker stopped (out of memory). Open the session again.";
  await expect(waiting).rejects.toThrow(message);
  await expect(run(client)).rejects.toThrow(message);
});
