/**
 * The side of a session that runs in its worker: one model, opened in ONNX Runtime, and its runs one after the other.
 * ONNX Runtime has a proxy of its own, which takes the arrays that it is given away from the page; hence this one.
 */
import type * as Ort from 'onnxruntime-common';
import type { Tensor } from '../../tensor.ts';
import {
  dataLocation,
  type Kind,
  type NamedTensor,
  type Opening,
  type Reply,
  type Request,
  type Requests,
} from './protocol.ts';

type Answers = { readonly [K in Kind]: (asked: Requests[K][0]) => Promise<Requests[K][1]> };

/**
 * Answers the page's requests with this build of the runtime. ONNX Runtime starts its threads from the same script,
 * where there is nothing to serve.
 */
export function serve(ort: typeof Ort): void {
  if (self.name.startsWith('em-pthread')) return;
  const answers = answersWith(ort);
  let last: Promise<unknown> = Promise.resolve();
  globalThis.addEventListener('message', ({ data }: MessageEvent<Request>) => {
    last = last.then(() => reply(data, answers));
  });
}

function answersWith(ort: typeof Ort): Answers {
  let session: Ort.InferenceSession;
  return {
    open: async (opening) => {
      session = await open(ort, opening);
      return { inputNames: session.inputNames, outputNames: session.outputNames };
    },
    run: async ({ feeds, fetches }) => {
      const results = await session.run(Object.fromEntries(feeds.map((feed) => toOrt(ort, feed))), [...fetches]);
      return fetches.map((name) => fromOrt(name, results[name]!));
    },
  };
}

function open(ort: typeof Ort, opening: Opening): Promise<Ort.InferenceSession> {
  const { model, data, threads, providers, optimization, wasmPaths } = opening;
  ort.env.logLevel = 'fatal'; // what goes wrong is thrown, not printed
  ort.env.wasm.numThreads = threads; // by default half of the cores, and 1 of 2
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  const settings: Ort.InferenceSession.SessionOptions = {
    executionProviders: [...providers],
    enableMemPattern: false,
    graphOptimizationLevel: optimization,
    externalData: data.map((bytes, i) => ({ path: `${dataLocation}.${i}`, data: bytes })),
  };
  // Two signatures take the two kinds of model.
  if (typeof model === 'string') return ort.InferenceSession.create(model, settings);
  return ort.InferenceSession.create(model, settings);
}

async function reply(request: Request, answers: Answers): Promise<void> {
  const { id } = request;
  try {
    const answer = request.kind === 'open' ? await answers.open(request.asked) : await answers.run(request.asked);
    send({ id, answer });
  } catch (error) {
    send({ id, error: error instanceof Error ? error.message : String(error) });
  }
}

/** Results are moved to the page, not copied. */
function send(reply: Reply): void {
  const tensors = 'answer' in reply && Array.isArray(reply.answer) ? (reply.answer as readonly NamedTensor[]) : [];
  const transfer = tensors.map(([, { data }]) => data.buffer as ArrayBuffer);
  globalThis.postMessage(reply, { transfer: [...new Set(transfer)] });
}

const toOrt = (ort: typeof Ort, [name, { dtype, data, dims }]: NamedTensor): [string, Ort.Tensor] => [
  name,
  new ort.Tensor(dtype as Ort.Tensor.Type, data as Ort.Tensor.DataType, dims),
];

const fromOrt = (name: string, { type, dims, data }: Ort.Tensor): NamedTensor => [
  name,
  { dtype: type, dims, data } as unknown as Tensor,
];
