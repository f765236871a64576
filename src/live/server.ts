/**
 * A page on this machine that changes while it is open. The server sends the page, and then events (server-sent events, one
 * request that stays open): the whole page again when it has changed, or only its line of progress. A script in the page puts
 * them in place; what the reader has unfolded stays so.
 *
 * Only this machine can connect. A page of another site that has its name resolve to this machine sends that name as the host,
 * and is refused. The page may load nothing, and runs no script but this one.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const script = `
const events = new EventSource('/events');
const lost = 'The connection to the run was lost. This is its last state.';
const show = (text) => { const line = document.getElementById('progress'); if (line) line.textContent = text; };
const replace = ({ data }) => {
  const next = new DOMParser().parseFromString(JSON.parse(data), 'text/html');
  const open = [...document.querySelectorAll('details')].map((details) => details.open);
  next.querySelectorAll('details').forEach((details, i) => { details.open = open[i] ?? false; });
  document.head.querySelector('style').replaceWith(next.head.querySelector('style'));
  document.body.replaceChildren(...next.body.childNodes);
};
events.addEventListener('page', replace);
events.addEventListener('progress', ({ data }) => show(JSON.parse(data)));
events.addEventListener('end', (event) => { events.close(); replace(event); });
events.addEventListener('error', () => { events.close(); show(lost); });
`;
const scriptHash = createHash('sha256').update(script).digest('base64');

const headers = {
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
} as const;

/** A reader that does not take what it is sent is disconnected at this number of bytes. */
const maxWaiting = 2 ** 24;

/** How long readers have to take the last page, in milliseconds. */
const lastMoment = 2000;

export class LiveServer {
  readonly #server: Server;
  readonly #readers = new Set<ServerResponse>();
  #page: string;

  private constructor(page: string) {
    this.#page = page;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.unref();
  }

  /**
   * Starts to serve a page at a free port.
   *
   * @throws Error if no port can be opened.
   */
  static async open(page: string): Promise<LiveServer> {
    const live = new LiveServer(page);
    await new Promise<void>((resolve, reject) => {
      live.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return live;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Whether anybody has the page open. */
  get isRead(): boolean {
    return this.#readers.size > 0;
  }

  /** Shows another page. */
  show(page: string): void {
    this.#page = page;
    this.#send('page', page);
  }

  /** Changes the line of progress only. */
  progress(text: string): void {
    this.#send('progress', text);
  }

  /** Shows the last page, which stays in the browser, and closes the server. */
  async end(page: string): Promise<void> {
    this.#send('end', page);
    const taken = [...this.#readers].map((reader) => new Promise((resolve) => reader.end(resolve)));
    const late = new Promise((resolve) => setTimeout(resolve, lastMoment).unref());
    await Promise.race([Promise.all(taken), late]);
    this.close();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #send(event: string, data: string): void {
    const message = messageOf(event, data);
    for (const reader of this.#readers) {
      reader.write(message);
      if (reader.writableLength > maxWaiting) reader.destroy();
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const respond = (status: number, type: string, body: string) =>
      response.writeHead(status, { ...headers, 'content-type': `${type}; charset=utf-8` }).end(body);
    if (!isLocal(request.headers.host)) return void respond(403, 'text/plain', 'This page is for this machine only.\n');
    if (request.method !== 'GET') return void respond(405, 'text/plain', 'There is a page to get only.\n');
    if (request.url === '/') return void respond(200, 'text/html', withScript(this.#page));
    if (request.url !== '/events') return void respond(404, 'text/plain', 'There is only one page, /.\n');
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
    response.write(messageOf('page', this.#page)); // it may have changed since the page was sent
    this.#readers.add(response);
    response.on('close', () => this.#readers.delete(response));
  }
}

const messageOf = (event: string, data: string): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** Whether a request names this machine, at any port, since it may come through a tunnel. */
const isLocal = (host: string | undefined): boolean => /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host ?? '');

const withScript = (page: string): string => page.replace('</body>', () => `<script>${script}</script></body>`);
