/** Routes for those who run the server: health, metrics and documentation. */
import * as z from 'zod';
import type { Call, Route } from './route.ts';

const group = 'Operation';

const health = (path: string, answers: z.ZodType | string, handle: Route['handle']): Route => ({
  method: 'GET',
  path,
  summary: 'Whether the server runs',
  group,
  isPublic: true,
  answers,
  handle,
});

const status = z.object({ status: z.string() });

export const operationRoutes: readonly Route[] = [
  health('/healthz', status, () => ({ json: { status: 'ok' } })),
  {
    method: 'GET',
    path: '/readyz',
    summary: 'Whether it answers requests; 503 when it is about to end',
    group,
    isPublic: true,
    answers: status,
    handle: ({ context }) =>
      context.isReady() ? { json: { status: 'ready' } } : { json: { status: 'ending' }, status: 503 },
  },
  health('/health', 'text/plain', () => ({ bytes: 'Ok', type: 'text/plain' })),
  health('/ping', status, () => ({ json: { status: 'Healthy' } })),
  {
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    group,
    answers: 'text/plain',
    handle: async ({ context }: Call) => ({ bytes: await context.metrics.text(), type: context.metrics.contentType }),
  },
];
