/** The engine: answers requests one after the other, away from the page's thread. */
import { handlers } from './handlers.ts';
import type { Handler, Kind, Reply, Request } from './protocol.ts';

const send = (reply: Reply): void => globalThis.postMessage(reply);

let last = Promise.resolve();

globalThis.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  last = last.then(() => answer(data));
});

async function answer<K extends Kind>({ id, kind, argument }: Request & { readonly kind: K }): Promise<void> {
  try {
    const handler = handlers[kind] as Handler<K>;
    send({ id, answer: await handler(argument, (progress) => send({ id, progress })) });
  } catch (error) {
    send({ id, error: forReaders(error instanceof Error ? error.message : String(error)) });
  }
}

/** The package that has the runtime, with its version. The build fills it in. */
declare const __RUNTIME__: string;

/** What the library advises when the runtime is missing is for those who make a page. */
function forReaders(message: string): string {
  if (!message.startsWith("ONNX Runtime's WebAssembly did not load")) return message;
  return `ONNX Runtime's WebAssembly is not beside this page. For resnext serve, run npm install ${__RUNTIME__} and start it again.`;
}
