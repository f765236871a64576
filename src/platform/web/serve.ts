/**
 * The worker's side of a session: opens one model in ONNX Runtime, and runs it, one run after the other. ONNX Runtime has
 * its own proxy, but that one detaches the page's arrays.
 */
import type * as Ort from 'onnxruntime-common';
import { messageOf } from '../../errors.ts';
import { storedElements, type Tensor } from '../../tensor.ts';
import {
  dataLocation,
  type Kind,
  type NamedTensor,
  type Opening,
  type Reply,
  type Request,
  type Requests,
} from './protocol.ts';

type Answers = { readonly [K in Kind]: (argument: Requests[K][0]) => Promise<Requests[K][1]> };

/**
 * Answers the page's requests with this build of the runtime. ONNX Runtime also starts its threads from this script; they
 * serve nothing.
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
  ort.env.logLevel = 'fatal'; // errors are thrown, not printed
  ort.env.wasm.numThreads = threads; // the default is half of the cores
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  const settings: Ort.InferenceSession.SessionOptions = {
    executionProviders: [...providers],
    enableMemPattern: false,
    graphOptimizationLevel: optimization,
    externalData: data.map((bytes, i) => ({ path: `${dataLocation}.${i}`, data: bytes })),
  };
  // Each kind of model has its own overload.
  if (typeof model === 'string') return ort.InferenceSession.create(model, settings);
  return ort.InferenceSession.create(model, settings);
}

async function reply(request: Request, answers: Answers): Promise<void> {
  const { id } = request;
  try {
    const answer = request.kind === 'open' ? await answers.open(request.argument) : await answers.run(request.argument);
    send({ id, answer });
  } catch (error) {
    send({ id, error: messageOf(error) });
  }
}

/** Sends a reply, transferring the arrays of results instead of copying them. */
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
  { dtype: type, dims, data: storedElements(type, data) } as unknown as Tensor,
];
