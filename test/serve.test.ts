/** What a server answers, in its own way and in those of others, is what a classifier says. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Classifier, drawExplanation, load } from 'resnext';
import { decode } from 'resnext/data';
import type { LogEntry, Server } from 'resnext/serve';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { start } from './command.ts';
import { base64, classes, formOf, get, images, open, post, postJson, withServer, writeSmallModel } from './serving.ts';
import { relativeError } from './tensors.ts';

interface Scored {
  readonly label: string;
  readonly index: number;
  readonly score: number;
}

interface Results<T> {
  readonly model: string;
  readonly version: string;
  readonly results: readonly (T & { readonly image: string; readonly error?: string })[];
}

let folder: string;
let classifier: Classifier;
let server: Server;
const log: LogEntry[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-serve-'));
  for (const seed of [1, 2]) await writeSmallModel(join(folder, `${seed}`), seed);
  classifier = await load(join(folder, '1'));
  const models = { one: join(folder, '1'), two: join(folder, '2') };
  server = await open({ models, onLog: (entry) => log.push(entry) });
}, 60_000);
afterAll(async () => {
  await server.close();
  await classifier.dispose();
  rmSync(folder, { recursive: true });
});

/** The classes of an image, as a server lists them. */
async function expectScores(scores: readonly Omit<Scored, 'index'>[], image: Uint8Array): Promise<void> {
  const expected = await classifier.classify(image);
  expect(scores.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
  for (const [n, { score }] of scores.entries()) expect(score).toBeCloseTo(expected[n]!.probability, 5);
}

describe('classify', () => {
  it('takes a file, a form with several, and JSON, and lists classes', async () => {
    const url = `${server.url}/v1/classify`;
    const file = await post<Results<{ predictions: Scored[] }>>(url, images[0]!);
    expect(file.body).toMatchObject({ model: 'one', version: '1', results: [{ image: 'image' }] });
    const form = await post<Results<{ predictions: Scored[] }>>(url, formOf(images.slice(0, 3), { top: '4' }));
    expect(form.body.results.map(({ image }) => image)).toEqual(['photo-0.jpg', 'photo-1.jpg', 'photo-2.jpg']);
    const inputs = [
      base64(images[0]!),
      `data:image/jpeg;base64,${base64(images[1]!)}`,
      { b64: base64(images[2]!), name: 'c' },
    ];
    const document = await postJson<Results<{ predictions: Scored[] }>>(url, { inputs });
    expect(document.body.results.map(({ image }) => image)).toEqual(['inputs[0]', 'inputs[1]', 'c']);
    for (const { results } of [file.body, form.body, document.body]) {
      for (const [n, { predictions }] of results.entries()) {
        await expectScores(predictions, images[n]!);
        for (const { label, index } of predictions) expect(classes[index]).toBe(label);
      }
    }
  });

  it('follows parameters, wherever they are', async () => {
    const url = `${server.url}/v1/classify`;
    type Answer = Results<{ predictions: Scored[] }>;
    const [first] = (await post<Answer>(`${url}?top=1`, images[0]!)).body.results;
    expect(first!.predictions).toHaveLength(1);
    const named = await post<Answer>(url, formOf([images[0]!], { top: '1', model: 'two' }));
    expect(named.body).toMatchObject({ model: 'two', results: [{ predictions: [{}] }] });
    const sigmoid = { inputs: base64(images[0]!), parameters: { top_k: 2, function_to_apply: 'sigmoid' } };
    const raw = { inputs: base64(images[0]!), parameters: { function_to_apply: 'none', threshold: -1000 } };
    const scores = (await postJson<Answer>(url, sigmoid)).body.results[0]!.predictions;
    const logits = (await postJson<Answer>(url, raw)).body.results[0]!.predictions;
    expect(scores).toHaveLength(2);
    expect(scores[0]!.score).toBeCloseTo(1 / (1 + Math.exp(-logits[0]!.score)), 6);
  });

  it('gathers the requests of many clients into batches', async () => {
    const counts = async () => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      const value = (name: string) =>
        Number(new RegExp(`^${name}\\{.*model="one".*classify.*\\} (\\d+)`, 'm').exec(text)![1]);
      return { images: value('resnext_images_total'), batches: value('resnext_batches_total') };
    };
    await post(`${server.url}/v1/classify`, images[0]!);
    const before = await counts();
    const all = Array.from({ length: 48 }, (_, n) => images[n % images.length]!);
    const answers = await Promise.all(
      all.map((image) => post<Results<{ predictions: Scored[] }>>(`${server.url}/v1/classify`, image)),
    );
    for (const [n, { body }] of answers.slice(0, 12).entries())
      await expectScores(body.results[0]!.predictions, images[n]!);
    const after = await counts();
    expect(after.images - before.images).toBe(48);
    expect(after.batches - before.batches).toBeLessThan(36);
  });
});

it('features are those of a classifier, as JSON and as bytes', async () => {
  const url = `${server.url}/v1/features`;
  const vectors = await classifier.features(images.slice(0, 2));
  const { body } = await post<Results<{ shape: number[]; data: number[] }>>(url, formOf(images.slice(0, 2)));
  for (const [n, { shape, data }] of body.results.entries()) {
    expect(shape).toEqual([vectors[n]!.length]);
    expect(relativeError({ data: Float32Array.from(data) }, { data: vectors[n]! })).toBeLessThan(1e-5);
  }
  const response = await fetch(url, {
    method: 'POST',
    body: formOf(images.slice(0, 2)),
    headers: { accept: 'application/octet-stream' },
  });
  expect(response.headers.get('x-shape')).toBe(`2,${vectors[0]!.length}`);
  const data = new Float32Array(await response.arrayBuffer());
  expect(relativeError({ data }, { data: Float32Array.of(...vectors[0]!, ...vectors[1]!) })).toBeLessThan(1e-5);
});

it('explanations are those of a classifier', async () => {
  const url = `${server.url}/v1/explain?class=horse`;
  const { body } = await post<Results<Scored & { stage: string; shape: number[]; data: number[] }>>(url, images[0]!);
  const { map, label, stage } = await classifier.explain(images[0]!, { class: 'horse' });
  expect(body.results[0]).toMatchObject({ label, stage, shape: map.dims, index: 3 });
  expect(relativeError({ data: Float32Array.from(body.results[0]!.data) }, map)).toBeLessThan(1e-4);
  const wrong = await post(`${server.url}/v1/explain?class=hrse`, images[0]!);
  expect(wrong).toMatchObject({ status: 400, body: { error: expect.stringContaining('Did you mean horse?') } });
});

it('an explanation may be a picture', async () => {
  const headers = { accept: 'image/png' };
  const url = `${server.url}/v1/explain?class=frog`;
  const response = await fetch(url, { method: 'POST', body: images[0]!, headers });
  expect([response.status, response.headers.get('content-type'), response.headers.get('x-label')]).toEqual([
    200,
    'image/png',
    'frog',
  ]);
  const { width, height, data } = await decode(new Uint8Array(await response.arrayBuffer()));
  expect([width, height]).toEqual([448, 448]);
  const picture = await decode(images[0]!);
  const { map } = await classifier.explain(images[0]!, { class: 'frog' });
  const expected = drawExplanation(picture, map, classifier.description.preprocessing).data;
  const largest = data.reduce((most, byte, n) => Math.max(most, Math.abs(byte - expected[n]!)), 0);
  expect(largest).toBeLessThanOrEqual(2);
  const two = await post(url, formOf(images.slice(0, 2)), headers);
  expect(two).toMatchObject({ status: 400, body: { error: expect.stringContaining('the request has 2') } });
});

it('an unreadable image has an error beside the results of others; alone, it is the answer', async () => {
  const url = `${server.url}/v1/classify`;
  const cut = images[1]!.slice(0, 300);
  const text = new TextEncoder().encode('no image');
  const some = await post<Results<object>>(url, formOf([images[0]!, cut, text]));
  expect(some.status).toBe(200);
  expect(some.body.results.map(({ image, error }) => [image, error])).toEqual([
    ['photo-0.jpg', undefined],
    ['photo-1.jpg', expect.stringMatching('^Image "photo-1.jpg" cannot be read')],
    ['photo-2.jpg', expect.stringMatching('its format is not supported')],
  ]);
  expect(await post(url, cut)).toMatchObject({ status: 422, body: { error: expect.stringMatching('cannot be read') } });
  expect((await post(url, text)).status).toBe(415);
});

describe('other ways in', () => {
  it('Hugging Face and SageMaker: labels and scores', async () => {
    for (const path of ['/', '/predict', '/invocations']) {
      const { body } = await post<Scored[]>(`${server.url}${path}`, images[0]!, { 'content-type': 'image/jpeg' });
      await expectScores(body, images[0]!);
    }
    const inputs = images.slice(0, 2).map(base64);
    const { body } = await postJson<Scored[][]>(`${server.url}/`, { inputs, parameters: { top_k: 2, other: 1 } });
    expect(body.map((list) => list.length)).toEqual([2, 2]);
    expect(await (await fetch(`${server.url}/health`)).text()).toBe('Ok');
  });

  it('TorchServe and KServe 1: probabilities by class', async () => {
    const expected = await classifier.classify(images[0]!);
    const [{ label, probability }] = expected as [(typeof expected)[0]];
    for (const path of ['/predictions/one', '/predictions/one/1']) {
      const form = new FormData();
      form.set('data', new Blob([images[0]!]), 'a.jpg');
      const { body } = await post<Record<string, number>>(`${server.url}${path}`, form);
      expect(body[label]).toBeCloseTo(probability, 5);
    }
    expect((await post(`${server.url}/predictions/one/7`, images[0]!)).status).toBe(404);
    const instances = { instances: [{ b64: base64(images[0]!) }] };
    const { body } = await postJson<{ predictions: Record<string, number>[] }>(
      `${server.url}/v1/models/one:predict`,
      instances,
    );
    expect(body.predictions[0]![label]).toBeCloseTo(probability, 5);
    expect((await get(`${server.url}/ping`)).body).toEqual({ status: 'Healthy' });
  });
});

describe('the Open Inference Protocol', () => {
  interface Output {
    readonly name: string;
    readonly datatype: string;
    readonly shape: number[];
    readonly data: (number | string)[];
    readonly parameters?: { readonly binary_data_size: number };
  }
  interface Inferred {
    readonly model_name: string;
    readonly id?: string;
    readonly outputs: Output[];
  }
  const infer = () => `${server.url}/v2/models/one/infer`;

  it('describes the server and its models', async () => {
    expect((await get(`${server.url}/v2`)).body).toMatchObject({ name: 'resnext' });
    expect((await get(`${server.url}/v2/health/live`)).body).toEqual({ live: true });
    expect((await get(`${server.url}/v2/health/ready`)).body).toEqual({ ready: true });
    expect((await get(`${server.url}/v2/models/two/versions/1/ready`)).body).toEqual({ name: 'two', ready: true });
    const { body } = await get(`${server.url}/v2/models/one`);
    expect(body).toMatchObject({
      name: 'one',
      versions: ['1'],
      inputs: [{ name: 'image' }, { shape: [-1, 3, 24, 24] }],
    });
    expect((await get(`${server.url}/v2/models/tow`)).body).toEqual({
      error: 'There is no model "tow". Did you mean two?',
    });
  });

  it('runs JSON: files as base64, and prepared images', async () => {
    const file = { name: 'image', datatype: 'BYTES', shape: [2], data: images.slice(0, 2).map(base64) };
    const { body } = await postJson<Inferred>(infer(), { id: '42', inputs: [file] });
    expect(body).toMatchObject({ model_name: 'one', id: '42' });
    expect(body.outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['logits', [2, 4]],
      ['probabilities', [2, 4]],
      ['features', [2, 128]],
    ]);
    const prepared = await classifier.prepare(images[0]!);
    const input = { name: 'input', datatype: 'FP32', shape: [1, 3, 24, 24], data: [...prepared.data] };
    const outputs = [{ name: 'logits' }, { name: 'probabilities', parameters: { classification: 2 } }];
    const { outputs: found } = (await postJson<Inferred>(infer(), { inputs: [input], outputs })).body;
    const logits = await classifier.logits(prepared.data);
    expect(relativeError({ data: Float32Array.from(found[0]!.data as number[]) }, { data: logits })).toBeLessThan(1e-5);
    const [best] = await classifier.classify(images[0]!);
    expect(found[1]).toMatchObject({ datatype: 'BYTES', shape: [1, 2] });
    expect(found[1]!.data[0]).toBe(`${best!.probability.toFixed(6)}:${classes.indexOf(best!.label)}:${best!.label}`);
  });

  /** Sends a document and bytes, and splits the answer. */
  async function binary(document: object, tensors: readonly Uint8Array[]) {
    const head = Buffer.from(JSON.stringify(document));
    const body = new Uint8Array(Buffer.concat([head, ...tensors]));
    return answered(body, `${head.length}`);
  }

  async function answered(body: Uint8Array<ArrayBuffer>, length: string) {
    const headers = { 'inference-header-content-length': length, 'content-type': 'application/octet-stream' };
    const response = await fetch(infer(), { method: 'POST', body, headers });
    expect(response.status).toBe(200);
    const bytes = Buffer.from(await response.arrayBuffer());
    const size = Number(response.headers.get('inference-header-content-length'));
    const { outputs } = JSON.parse(bytes.subarray(0, size).toString()) as Inferred;
    let at = size;
    return outputs.map(({ name, parameters }) => {
      const own = bytes.subarray(at, at + parameters!.binary_data_size);
      at += own.length;
      return { name, data: new Float32Array(Uint8Array.from(own).buffer) };
    });
  }

  it('runs binary tensors, and a raw one', async () => {
    const prepared = await classifier.prepare(images[0]!);
    const logits = { data: await classifier.logits(prepared.data) };
    const pixels = new Uint8Array(prepared.data.buffer);
    const input = {
      name: 'input',
      datatype: 'FP32',
      shape: [1, 3, 24, 24],
      parameters: { binary_data_size: pixels.length },
    };
    const outputs = [{ name: 'logits', parameters: { binary_data: true } }];
    const [first] = await binary({ inputs: [input], outputs }, [pixels]);
    expect(relativeError(first!, logits)).toBeLessThan(1e-5);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(images[0]!.length);
    const element = Buffer.concat([size, images[0]!]);
    const file = { name: 'image', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: element.length } };
    const [second] = await binary({ inputs: [file], parameters: { binary_data_output: true } }, [element]);
    expect(relativeError(second!, logits)).toBeLessThan(1e-5);
    const [third] = await answered(images[0]!, '0');
    expect(relativeError(third!, logits)).toBeLessThan(1e-5);
  });

  it.each([
    ['no JSON', '{', 'is not JSON'],
    ['no inputs', '{}', '"inputs"'],
    [
      'another datatype',
      { name: 'input', datatype: 'FP64', shape: [1], data: [1] },
      'is FP64, but expected FP32 or BYTES',
    ],
    ['another input', { name: 'x', datatype: 'FP32', shape: [1], data: [1] }, 'but the request has x (FP32)'],
    ['another shape', { name: 'input', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }, '"input" is [1, 3]'],
    [
      'too few data',
      { name: 'input', datatype: 'FP32', shape: [1, 3, 24, 24], data: [1] },
      'has 1 elements, but its shape has 1728',
    ],
    ['no numbers', { name: 'input', datatype: 'FP32', shape: [1], data: ['a'] }, 'an element that is no number'],
    [
      'missing bytes',
      { name: 'input', datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } },
      '0 bytes follow',
    ],
  ])('refuses %s', async (_, input, message) => {
    const document = typeof input === 'string' ? input : JSON.stringify({ inputs: [input] });
    const { status, body } = await post<{ error: string }>(infer(), document);
    expect({ status, error: body.error }).toEqual({ status: 400, error: expect.stringContaining(message) });
  });
});

describe('operation', () => {
  it('lists models', async () => {
    const { body } = await get<{ data: { id: string; default: boolean; classes: string[] }[] }>(
      `${server.url}/v1/models`,
    );
    expect(body.data.map(({ id, default: first }) => [id, first])).toEqual([
      ['one', true],
      ['two', false],
    ]);
    expect((await get(`${server.url}/v1/models/two`)).body).toMatchObject({ id: 'two', classes, features: 128 });
    expect((await post(`${server.url}/v1/classify?model=three`, images[0]!)).status).toBe(404);
  });

  it('describes every route in OpenAPI 3.1, and on a page', async () => {
    interface Document {
      readonly openapi: string;
      readonly paths: Record<string, Record<string, { readonly requestBody?: { readonly content: object } }>>;
    }
    const { body } = await get<Document>(`${server.url}/docs/openapi.json`);
    expect(body.openapi).toBe('3.1.0');
    expect(Object.keys(body.paths['/v1/classify']!.post!.requestBody!.content)).toEqual([
      'image/*',
      'multipart/form-data',
      'application/json',
    ]);
    expect(Object.keys(body.paths)).toContain('/v1/models/{model}:predict');
    const page = await (await fetch(`${server.url}/docs`)).text();
    for (const path of Object.keys(body.paths)) expect(page).toContain(path);
  });

  it('logs requests, and nothing of their images', async () => {
    log.length = 0;
    await postJson(`${server.url}/v1/classify?top=3`, { inputs: base64(images[0]!) });
    await expect.poll(() => log.length, { timeout: 30_000 }).toBe(1);
    const [{ time, id, ms, bytes, ...rest }] = log as [LogEntry];
    expect(rest).toEqual({
      level: 'info',
      event: 'request',
      client: '127.0.0.1',
      method: 'POST',
      path: '/v1/classify',
      status: 200,
      model: 'one',
      images: 1,
    });
    expect([typeof time, typeof id, typeof ms, typeof bytes]).toEqual(['string', 'string', 'number', 'number']);
  });
});

it('the example of a client prints the best class of each image', async () => {
  const example = fileURLToPath(new URL('../examples/client.ts', import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', 'tsx', example, server.url]);
  expect(stderr).toBe('');
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(12);
  const [best] = await classifier.classify(images[0]!);
  expect(lines[0]).toBe(`airplane-1.jpg     ${best!.label} ${(100 * best!.probability).toFixed(1)} %`);
});

it('the command says where it serves once it answers, and ends with SIGTERM', async () => {
  const machine = ['--threads', '1', '--workers', '1'];
  const { child, ended } = start('serve', '--model', `net=${join(folder, '1')}`, '--port', '0', ...machine);
  let printed = '';
  child.stderr!.on('data', (text: string) => {
    printed += text;
  });
  await expect.poll(() => printed, { timeout: 60_000 }).toContain('\n');
  const [, url] = /^Serving net at (http:\/\/127\.0\.0\.1:\d+)\. Documentation: \1\/docs\n$/.exec(printed)!;
  const { status, body } = await post<Results<{ predictions: Scored[] }>>(`${url}/v1/classify`, images[0]!);
  expect(status).toBe(200);
  await expectScores(body.results[0]!.predictions, images[0]!);
  child.kill('SIGTERM');
  const { code, stdout } = await ended;
  expect(code).toBe(0);
  const events = stdout.trimEnd().split('\n');
  expect(events.map((line) => (JSON.parse(line) as LogEntry).event)).toEqual([
    'listening',
    'request',
    'ending',
    'ended',
  ]);
});

it('a model is replaced without losing a request, and a broken one does not replace it', async () => {
  await withServer({ models: { net: join(folder, '1') } }, async (replaced) => {
    const url = `${replaced.url}/v1/classify`;
    const answers: { status: number; version: string }[] = [];
    let isDone = false;
    const client = async () => {
      while (!isDone) {
        const { status, body } = await post<Results<object>>(url, images[0]!);
        answers.push({ status, version: body.version });
      }
    };
    const clients = Array.from({ length: 4 }, client);
    const isAsked = (version: number) => answers.some((answer) => answer.version === `${version}`);
    for (let version = 1; version <= 3; version++) {
      await expect.poll(() => isAsked(version), { timeout: 30_000 }).toBe(true);
      await replaced.load('net', join(folder, `${1 + (version % 2)}`));
    }
    await expect(replaced.load('net', join(folder, 'none'))).rejects.toThrow('There is no file');
    await expect(replaced.load('new')).rejects.toThrow('models.new is');
    isDone = true;
    await Promise.all(clients);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    await replaced.load('other', join(folder, '2'));
    expect(replaced.models).toEqual(['net', 'other']);
    await replaced.unload('other');
    expect((await post(`${url}?model=other`, images[0]!)).status).toBe(404);
    await expect(replaced.unload('net')).rejects.toThrow('The last model cannot be unloaded');
  });
});
