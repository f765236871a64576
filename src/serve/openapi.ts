/** The description of all routes as an OpenAPI document, made from their schemas. */
import * as z from 'zod';
import { version } from '../version.ts';
import type { Route } from './route.ts';

type Json = Readonly<Record<string, unknown>>;

const errors = {
  400: 'The request cannot be understood',
  401: 'A key is required',
  404: 'There is no such model',
  408: 'The request took too long to arrive',
  413: 'The request, its number of images or an image is too large',
  415: 'A file is of another format',
  422: 'An image cannot be read',
  429: 'The queue is full, or the client has asked too often; see Retry-After',
  503: 'The server is about to end; see Retry-After',
  504: 'There was no result in time',
} as const;

/** Errors of requests that have no images. */
const simpleErrors = [401, 404, 429, 503];

const error = z.object({ error: z.string().describe('what was wrong, in one sentence') });

/**
 * @param routes those that are registered.
 * @param hasKeys whether requests need a key.
 */
export function openApi(routes: readonly Route[], hasKeys: boolean): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/(?<!:):(\w+)/g, '{$1}').replaceAll('::', ':');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, path, hasKeys) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'resnext',
      version: version(),
      description: 'Classifies images, extracts their features and explains predictions.',
    },
    paths,
    components: {
      schemas: { Error: schemaOf(error) },
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation(route: Route, path: string, hasKeys: boolean): Json {
  const { summary, group, parameters, takes, isPublic, answers } = route;
  const inPath = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = parameters
    ? queryParameters(
        parameters,
        inPath.map(({ name }) => name!),
      )
    : [];
  const statuses = parameters || takes ? Object.keys(errors).map(Number) : isPublic ? [] : simpleErrors;
  const content =
    typeof answers === 'string' ? { [answers]: {} } : { 'application/json': { schema: schemaOf(answers) } };
  const body = parameters ? imageBody(parameters) : takes && { 'application/json': { schema: schemaOf(takes) } };
  return {
    summary,
    tags: [group],
    ...(hasKeys && !isPublic && { security: [{ key: [] }] }),
    parameters: [...inPath, ...inQuery],
    ...(body && { requestBody: { required: true, content: body } }),
    responses: {
      200: { description: 'The result', content },
      ...Object.fromEntries(statuses.map((status) => [status, failure(errors[status as keyof typeof errors])])),
    },
  };
}

const failure = (description: string): Json => ({
  description,
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
});

function queryParameters(parameters: z.ZodObject, others: readonly string[]): Json[] {
  const { properties = {} } = schemaOf(parameters) as { readonly properties?: Record<string, Json> };
  return Object.entries(properties)
    .filter(([name]) => !others.includes(name))
    .map(([name, { description, ...schema }]) => ({ name, in: 'query', description, schema }));
}

/** The three forms of a request with images; see `input.ts`. */
function imageBody(parameters: z.ZodObject): Json {
  const { properties = {} } = schemaOf(parameters) as { readonly properties?: Json };
  const text = { type: 'string', description: 'base64, a data: URL, or a URL at an allowed host' };
  const input = { oneOf: [text, { type: 'object', properties: { b64: text, url: text, name: { type: 'string' } } }] };
  return {
    'image/*': { schema: { type: 'string', format: 'binary' } },
    'multipart/form-data': {
      schema: {
        type: 'object',
        properties: { image: { type: 'array', items: { type: 'string', format: 'binary' } }, ...properties },
      },
    },
    'application/json': {
      schema: {
        type: 'object',
        required: ['inputs'],
        properties: {
          inputs: { oneOf: [input, { type: 'array', items: input }] },
          parameters: { type: 'object', properties },
        },
      },
    },
  };
}

/** As JSON Schema, without the mark of its version. */
function schemaOf(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}
