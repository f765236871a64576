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
    send({ id, error: error instanceof Error ? error.message : String(error) });
  }
}
