/** Servers for tests: a small network with random weights on loopback, and requests to it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { initialWeights, resnext, saveModel } from 'resnext';
import { preprocessingFor } from 'resnext/data';
import { type ServeOptions, type Server, serve } from 'resnext/serve';

const unseen = fileURLToPath(new URL('../examples/images/unseen', import.meta.url));

/** Twelve JPEG files. */
export const images: readonly Uint8Array<ArrayBuffer>[] = readdirSync(unseen)
  .sort()
  .map((file) => new Uint8Array(readFileSync(join(unseen, file))));

export const classes = ['airplane', 'automobile', 'frog', 'horse'];

/** Writes a model of four classes on images of 24 x 24. */
export async function writeSmallModel(folder: string, seed: number): Promise<void> {
  const model = resnext({
    depths: [1, 1],
    stem: 'cifar',
    width: 16,
    cardinality: 4,
    baseWidth: 16,
    inputSize: 24,
    classes: 4,
  });
  const preprocessing = preprocessingFor({ images: 'small', size: 24 });
  const description = { variant: 'small', config: model.config, classes, preprocessing, metrics: {} };
  await saveModel(folder, description, initialWeights(model, seed));
}

/** Starts a server at a free port. */
export const open = (options: ServeOptions): Promise<Server> => serve({ port: 0, workers: 2, threads: 1, ...options });

/** The same, which is closed afterwards. */
export async function withServer<T>(options: ServeOptions, use: (server: Server) => Promise<T>): Promise<T> {
  const server = await open(options);
  try {
    return await use(server);
  } finally {
    await server.close();
  }
}

export interface Answered<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

type Body = NonNullable<RequestInit['body']>;

/** Sends a request, and parses the JSON of its answer. */
export async function post<T>(url: string, body: Body, headers: Record<string, string> = {}): Promise<Answered<T>> {
  const response = await fetch(url, { method: 'POST', body, headers });
  return { status: response.status, headers: response.headers, body: (await response.json()) as T };
}

export const postJson = <T>(url: string, document: unknown, headers: Record<string, string> = {}) =>
  post<T>(url, JSON.stringify(document), { 'content-type': 'application/json', ...headers });

export async function get<T>(url: string, headers: Record<string, string> = {}): Promise<Answered<T>> {
  const response = await fetch(url, { headers });
  return { status: response.status, headers: response.headers, body: (await response.json()) as T };
}

/** A form with a file for each image. */
export function formOf(files: readonly Uint8Array<ArrayBuffer>[], fields: Record<string, string> = {}): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  for (const [n, file] of files.entries()) form.append('image', new Blob([file]), `photo-${n}.jpg`);
  return form;
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
