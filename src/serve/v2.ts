/**
 * The Open Inference Protocol: `/v2`. A model has two inputs, of which a request gives one: `image`, encoded files as BYTES
 * [N], or `input`, prepared images as FP32 [N, C, H, W]. Its outputs are `logits`, `probabilities` and `features`.
 */
import * as z from 'zod';
import type { BatcherInput } from '../batcher/batcher.ts';
import type { Computed } from '../batcher/networks.ts';
import type { Outcome } from '../classifier/outcomes.ts';
import { softmax } from '../classifier/predictions.ts';
import { elements, joinBytes, tensor } from '../tensor.ts';
import { version as packageVersion } from '../version.ts';
import { readBody } from './body.ts';
import { parsed } from './images.ts';
import { checkedImage } from './input.ts';
import type { ServedModel } from './models.ts';
import { scored, short } from './parameters.ts';
import { Problem, problemOf } from './problem.ts';
import type { Answer, Call, Route } from './route.ts';
import {
  headerLength,
  type InferRequest,
  inferRequest,
  inferResponse,
  splitBody,
  tensorsIn,
  type WireTensor,
  wireBytes,
} from './v2-tensors.ts';

const extensions = ['binary_tensor_data', 'classification'];
const group = 'Open Inference Protocol';

const port = z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.number().int()) });
const metadata = z.object({
  name: z.string(),
  versions: z.array(z.string()),
  platform: z.string(),
  inputs: z.array(port),
  outputs: z.array(port),
});

/** A route of a model, with and without a version. */
const ofModel = (route: Omit<Route, 'path' | 'group'>, end = ''): Route[] =>
  ['/v2/models/:model', '/v2/models/:model/versions/:version'].map((path) => ({ ...route, group, path: path + end }));

const modelOf = ({ context, params }: Call): ServedModel => context.models.get(params.model, params.version);

export const v2Routes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v2',
    summary: 'The server',
    group,
    answers: z.object({ name: z.string(), version: z.string(), extensions: z.array(z.string()) }),
    handle: () => ({ json: { name: 'resnext', version: packageVersion(), extensions } }),
  },
  {
    method: 'GET',
    path: '/v2/health/live',
    summary: 'Whether the server runs',
    group,
    isPublic: true,
    answers: z.object({ live: z.boolean() }),
    handle: () => ({ json: { live: true } }),
  },
  {
    method: 'GET',
    path: '/v2/health/ready',
    summary: 'Whether it answers requests',
    group,
    isPublic: true,
    answers: z.object({ ready: z.boolean() }),
    handle: ({ context }) => ({ json: { ready: context.isReady() }, status: context.isReady() ? 200 : 503 }),
  },
  ...ofModel({
    method: 'GET',
    summary: 'Inputs and outputs of a model',
    answers: metadata,
    handle: (call) => ({ json: metadataOf(modelOf(call)) }),
  }),
  ...ofModel(
    {
      method: 'GET',
      summary: 'Whether a model answers requests',
      answers: z.object({ name: z.string(), ready: z.boolean() }),
      handle: (call) => {
        const ready = call.context.isReady();
        return { json: { name: modelOf(call).name, ready }, status: ready ? 200 : 503 };
      },
    },
    '/ready',
  ),
  ...ofModel(
    {
      method: 'POST',
      summary: 'Runs a model on tensors: JSON, or a document that is followed by bytes',
      takes: inferRequest,
      answers: inferResponse,
      handle: infer,
    },
    '/infer',
  ),
];

function metadataOf({ name, version, batcher }: ServedModel): z.output<typeof metadata> {
  const { classes, inputChannels, inputSize } = batcher.description.config;
  const logits = [
    { name: 'logits', datatype: 'FP32', shape: [-1, classes] },
    { name: 'probabilities', datatype: 'FP32', shape: [-1, classes] },
  ];
  return {
    name,
    versions: [`${version}`],
    platform: 'onnxruntime_onnx',
    inputs: [
      { name: 'image', datatype: 'BYTES', shape: [-1] },
      { name: 'input', datatype: 'FP32', shape: [-1, inputChannels, ...inputSize] },
    ],
    outputs: [
      ...(classes > 0 ? logits : []),
      { name: 'features', datatype: 'FP32', shape: [-1, batcher.featureCount] },
    ],
  };
}

async function infer(call: Call): Promise<Answer> {
  const { context, request, headers } = call;
  const { memory, limits } = context;
  const body = await readBody(request, { memory, maxBytes: limits.maxBytes, seconds: limits.bodySeconds });
  call.begin();
  try {
    const split = splitBody(body.bytes, headers[headerLength] as string | undefined);
    const asked = split ? parsed(inferRequest, split.document) : rawRequest;
    const sent = split ? tensorsIn(asked, split.rest) : [rawImage(body.bytes)];
    const model = modelOf(call);
    const images = imagesOf(sent, model, limits);
    call.note({ model: model.name, images: images.length, bytes: body.bytes.length });
    const outcomes = images.length > 0 ? await model.batcher.run(images, { signal: call.signal }) : [];
    return answer(asked, model, outcomes.map(computedOf));
  } finally {
    body.release();
  }
}

/** What a body without a document asks for. */
const rawRequest: InferRequest = { inputs: [], parameters: { binary_data_output: true } };

const rawImage = (bytes: Buffer): WireTensor => ({ name: 'image', datatype: 'BYTES', shape: [1], data: [bytes] });

function imagesOf(
  sent: readonly WireTensor[],
  { batcher, name }: ServedModel,
  { maxImages, maxMegapixels }: { readonly maxImages: number; readonly maxMegapixels: number },
): BatcherInput[] {
  const [first, second] = sent;
  const known = { image: 'BYTES', input: 'FP32' };
  if (!first || second || known[first.name as 'image' | 'input'] !== first.datatype) {
    const given = sent.map(({ name, datatype }) => `${name} (${datatype})`).join(', ');
    throw new Problem(
      400,
      `"${name}" gets either image (BYTES) or input (FP32), but the request has ${given || 'none'}.`,
    );
  }
  const count = first.shape[0] ?? 0;
  if (count > maxImages) throw new Problem(413, `The request has ${count} images, but expected at most ${maxImages}.`);
  if (first.datatype === 'BYTES') {
    return first.data.map((bytes, n) => checkedImage(`image[${n}]`, bytes, maxMegapixels));
  }
  const { inputChannels, inputSize } = batcher.description.config;
  const expected = [inputChannels, ...inputSize];
  if (`${first.shape.slice(1)}` !== `${expected}`) {
    throw new Problem(
      400,
      `"input" is [${first.shape.join(', ')}], but "${name}" expects [N, ${expected.join(', ')}].`,
    );
  }
  const length = elements(expected);
  return Array.from({ length: count }, (_, n) => {
    return tensor('float32', [1, ...expected], first.data.subarray(n * length, (n + 1) * length));
  });
}

function computedOf(outcome: Outcome<Computed>): Computed {
  if ('error' in outcome) throw problemOf(outcome.error);
  return outcome.result;
}

interface AskedOutput {
  readonly name: string;
  readonly isBinary: boolean;
  /** The number of classes, for an output as text. */
  readonly top: number | undefined;
}

function answer(asked: InferRequest, model: ServedModel, computed: readonly Computed[]): Answer {
  const outputs = outputsOf(asked, model).map((output) => ({
    ...output,
    tensor: outputTensor(output, model, computed),
  }));
  const document = {
    model_name: model.name,
    model_version: `${model.version}`,
    ...(asked.id !== undefined && { id: asked.id }),
    outputs: outputs.map(({ isBinary, tensor }) => ({
      name: tensor.name,
      datatype: tensor.datatype,
      shape: tensor.shape,
      ...(isBinary ? { parameters: { binary_data_size: wireBytes(tensor).length } } : { data: jsonData(tensor) }),
    })),
  };
  const binary = outputs.filter(({ isBinary }) => isBinary).map(({ tensor }) => wireBytes(tensor));
  if (binary.length === 0) return { json: document };
  const head = Buffer.from(JSON.stringify(document));
  return {
    bytes: joinBytes([head, ...binary]),
    type: 'application/octet-stream',
    headers: { [headerLength]: `${head.length}` },
  };
}

/** The outputs that a request names, or all. */
function outputsOf({ outputs, parameters }: InferRequest, model: ServedModel): AskedOutput[] {
  const known = metadataOf(model).outputs.map(({ name }) => name);
  const asked: InferRequest['outputs'] = outputs ?? known.map((name) => ({ name }));
  return (asked ?? []).map(({ name, parameters: own }) => {
    if (!known.includes(name)) throw new Problem(400, `There is no output "${name}". Choose from ${known.join(', ')}.`);
    const top = own?.classification;
    if (top !== undefined && (typeof top !== 'number' || !Number.isInteger(top) || top < 1 || name === 'features')) {
      throw new Problem(400, `classification of "${name}" is ${top}, but expected a number of classes of the logits.`);
    }
    return { name, isBinary: (own?.binary_data ?? parameters?.binary_data_output) === true, top };
  });
}

function outputTensor({ name, top }: AskedOutput, model: ServedModel, computed: readonly Computed[]): WireTensor {
  const rows = computed.map(({ logits, features }) => {
    if (name === 'features') return features;
    return name === 'logits' ? logits! : softmax(logits!);
  });
  if (top !== undefined) return asText(name, top, model, rows);
  const { shape } = metadataOf(model).outputs.find((output) => output.name === name)!;
  const length = shape[1]!;
  const data = new Float32Array(rows.length * length);
  for (const [n, row] of rows.entries()) data.set(row, n * length);
  return { name, datatype: 'FP32', shape: [rows.length, length], data };
}

/** The extension for classification: `value:index:label` for the highest values. */
function asText(name: string, top: number, { batcher }: ServedModel, rows: readonly Float32Array[]): WireTensor {
  const { classes, config } = batcher.description;
  const labels = Array.from({ length: config.classes }, (_, k) => classes[k] ?? '');
  const count = Math.min(top, config.classes);
  const lines = rows.flatMap((row) => scored(row, labels, { top: count, function_to_apply: 'none' }));
  const data = lines.map(({ score, index, label }) => Buffer.from(`${score.toFixed(6)}:${index}:${label}`));
  return { name, datatype: 'BYTES', shape: [rows.length, count], data };
}

const jsonData = (tensor: WireTensor): unknown[] =>
  tensor.datatype === 'FP32'
    ? Array.from(tensor.data, short)
    : tensor.data.map((element) => Buffer.from(element).toString('utf8'));
