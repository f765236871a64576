/** What a route is, and what it gets. `app.ts` registers the tables of routes, and `openapi.ts` describes them. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type * as z from 'zod';
import type { BodyMemory } from './body.ts';
import type { DrawJob } from './draw-worker.ts';
import type { Limits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import type { Models } from './models.ts';

/** What all requests of a server share. */
export interface Context {
  readonly models: Models;
  readonly metrics: Metrics;
  readonly memory: BodyMemory;
  readonly limits: Limits;
  /** Draws an explanation over its picture: the bytes of a PNG file. */
  draw(job: DrawJob): Promise<Uint8Array>;
  /** Whether it answers requests, and is not about to end. */
  isReady(): boolean;
}

/** One request. */
export interface Call {
  readonly context: Context;
  readonly request: IncomingMessage;
  readonly headers: IncomingHttpHeaders;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** Aborts when the client leaves, or its time is over. The reason is a Problem. */
  readonly signal: AbortSignal;
  /** Starts the time for the answer, once the request is there. */
  begin(): void;
  /** Adds to the line of the log. */
  note(details: { readonly model?: string; readonly images?: number; readonly bytes?: number }): void;
}

/** A JSON document, or bytes of a type. */
export type Answer =
  | { readonly json: unknown; readonly status?: number }
  | {
      readonly bytes: string | Uint8Array;
      readonly type: string;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    };

/** The heading of the routes that take images and parameters. */
export const imageGroup = 'Images';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** In Fastify's notation: `:model` is a parameter, `::` a colon. */
  readonly path: string;
  readonly summary: string;
  /** The heading in the documentation. */
  readonly group: string;
  /** Whether it needs no key. */
  readonly isPublic?: true;
  /** It takes images, and these parameters. */
  readonly parameters?: z.ZodObject;
  /** The JSON that it takes instead. */
  readonly takes?: z.ZodType;
  /** The JSON of its answer, or another type of content. */
  readonly answers: z.ZodType | string;
  handle(call: Call): Promise<Answer> | Answer;
}
