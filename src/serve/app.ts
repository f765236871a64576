/** The routes in Fastify: who may ask, how an answer is sent, and what is logged and measured. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isTooLarge } from './body.ts';
import { docsPage } from './docs-page.ts';
import type { Keys } from './keys.ts';
import { openApi } from './openapi.ts';
import type { LogEntry } from './options.ts';
import { busy, Problem, problemOf } from './problem.ts';
import type { Answer, Call, Context, Route } from './route.ts';
import { siteFiles, siteHeaders } from './site.ts';

export interface AppOptions {
  readonly context: Context;
  readonly routes: readonly Route[];
  readonly keys: Keys;
  /** Requests per minute of a client; 0 is no limit. */
  readonly rate: number;
  readonly trustProxy: boolean;
  log(level: LogEntry['level'], event: string, details: object): void;
}

type Details = Parameters<Call['note']>[0];

declare module 'fastify' {
  interface FastifyContextConfig {
    isPublic?: boolean;
  }
}

/** A client that sends its headers slower than this is disconnected. */
const headersTimeout = 10_000;

/** The server, which does not listen yet. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { context, keys, rate, trustProxy } = options;
  const { default: fastify } = await import('fastify');
  const app = fastify({
    trustProxy,
    requestTimeout: headersTimeout + 1000 * context.limits.bodySeconds,
    http: { headersTimeout, connectionsCheckingInterval: 1000 },
  });
  app.server.on('checkContinue', (request, response) => {
    if (!isTooLarge(request, context.limits)) response.writeContinue(); // or else it need not be sent at all
    app.server.emit('request', request, response);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null)); // routes read bodies, which have limits
  app.addHook('onRequest', async (request) => {
    if (!isPublic(request)) keys.check(request.headers);
  });
  if (rate > 0) await limitRate(app, rate, keys);
  app.addHook('onSend', async ({ raw }, reply) => {
    if (!context.isReady()) reply.header('connection', 'close');
    else if (!raw.complete && !reply.hasHeader('connection')) {
      // closed while data is on its way, the connection would be reset, and the client could miss the answer
      raw.resume();
      reply.header('connection', 'keep-alive');
    }
  });
  observe(app, options);
  register(app, options);
  return app;
}

const isPublic = ({ routeOptions }: FastifyRequest): boolean => routeOptions.config.isPublic === true;

async function limitRate(app: FastifyInstance, rate: number, keys: Keys): Promise<void> {
  const { default: rateLimit } = await import('@fastify/rate-limit');
  await app.register(rateLimit, {
    max: rate,
    timeWindow: 60_000,
    allowList: isPublic,
    keyGenerator: (request) => keys.clientOf(request.headers) ?? request.ip,
    errorResponseBuilder: (_, { ttl }) =>
      busy(429, `There were more than ${rate} requests in a minute. Try again later.`, Math.ceil(ttl / 1000)),
  });
}

/** Errors become answers, and every answer is logged and counted. */
function observe(app: FastifyInstance, { context, log }: AppOptions): void {
  app.setNotFoundHandler((request) => {
    throw new Problem(404, `There is no ${request.method} ${pathOf(request)}. GET /docs lists what there is.`);
  });
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error);
    if (problem.status === 500) {
      const stack = error instanceof Error ? error.stack : String(error);
      log('error', 'failure', { id: request.id, path: pathOf(request), error: stack });
    }
    return reply.code(problem.status).headers(problem.headers).send({ error: problem.message });
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method, id, ip } = request;
    const { statusCode: status, elapsedTime } = reply;
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    context.metrics.request({ route, method, status, seconds: elapsedTime / 1000 });
    const ms = Math.round(10 * elapsedTime) / 10;
    const level = status < 500 ? 'info' : 'error';
    log(level, 'request', { id, client: ip, method, path: pathOf(request), status, ms, ...details.get(request) });
  });
}

/** What a route has noted for the log. */
const details = new WeakMap<FastifyRequest, Details>();

/** Without the parameters, which may be anything. */
const pathOf = ({ url }: FastifyRequest): string => url.split('?')[0]!;

function register(app: FastifyInstance, options: AppOptions): void {
  const { routes, keys } = options;
  for (const route of routes) {
    const config = { isPublic: route.isPublic === true };
    const handler = (request: FastifyRequest, reply: FastifyReply) => answer(route, request, reply, options);
    app.route({ method: route.method, url: route.path, config, handler });
  }
  const config = { isPublic: true };
  let document: ReturnType<typeof openApi> | undefined; // made when it is asked for, since it takes a while
  app.get('/docs/openapi.json', { config }, () => {
    document ??= openApi(routes, keys.isRequired);
    return document;
  });
  const docs = (request: FastifyRequest, reply: FastifyReply) =>
    reply
      .headers({ 'content-type': 'text/html; charset=utf-8', 'x-content-type-options': 'nosniff' })
      .send(docsPage(routes, `${request.protocol}://${request.host}`, keys.isRequired));
  app.get('/docs', { config }, docs);
  const site = siteFiles();
  if (!site.has('/')) app.get('/', { config }, docs);
  for (const [address, { type, read }] of site) {
    app.get(address, { config }, async (_request, reply) => {
      return reply.headers({ ...siteHeaders, 'content-type': type }).send(await read());
    });
  }
}

async function answer(
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  { context }: AppOptions,
): Promise<FastifyReply> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const left = () => controller.abort(new Problem(400, 'The client left before it was answered.'));
  reply.raw.once('close', left);
  const call: Call = {
    context,
    request: request.raw,
    headers: request.headers,
    params: request.params as Call['params'],
    query: request.query as Call['query'],
    signal: controller.signal,
    begin: () => {
      const { seconds } = context.limits;
      const late = () => controller.abort(new Problem(504, `There was no result within ${seconds} s.`));
      timer = setTimeout(late, 1000 * seconds);
    },
    note: (more) => void details.set(request, { ...details.get(request), ...more }),
  };
  try {
    return send(reply, await route.handle(call));
  } finally {
    clearTimeout(timer);
    reply.raw.off('close', left);
  }
}

function send(reply: FastifyReply, answer: Answer): FastifyReply {
  reply.code(answer.status ?? 200);
  if ('json' in answer) return reply.type('application/json; charset=utf-8').send(JSON.stringify(answer.json));
  return reply
    .type(answer.type)
    .headers(answer.headers ?? {})
    .send(answer.bytes);
}
