/** The server's own way in: `/v1`. */
import * as z from 'zod';
import type { Explanation } from '../classifier/explain.ts';
import { classNames } from '../classifier/labels.ts';
import type { ExplainMethod } from '../explain/methods.ts';
import type { Stage } from '../model/stages.ts';
import { bytesOf, tensor } from '../tensor.ts';
import { parsed, type Result, resultsOf, valuesOf, withImages } from './images.ts';
import type { ServedModel } from './models.ts';
import { classifyParameters, explainParameters, featuresParameters, scored, short } from './parameters.ts';
import { Problem } from './problem.ts';
import { type Answer, type Call, imageGroup, type Route } from './route.ts';

const prediction = z.object({
  label: z.string(),
  index: z.number().int().describe('number of the class'),
  score: z.number(),
});
const array = { shape: z.array(z.number().int()), data: z.array(z.number()).describe('the last dimension first') };
const failed = z.object({ image: z.string(), error: z.string() });

const resultsWith = (item: z.ZodRawShape) =>
  z.object({
    model: z.string(),
    version: z.string(),
    results: z
      .array(z.union([z.object({ image: z.string(), ...item }), failed]))
      .describe('in the order of the images'),
  });

const modelItem = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.number().int().describe('seconds since 1970'),
  owned_by: z.string(),
  version: z.string(),
  default: z.boolean(),
  variant: z.string(),
  classes: z.array(z.string()),
  input: z.object({ channels: z.number().int(), size: z.array(z.number().int()) }),
  features: z.number().int().describe('length of the feature vector'),
});

const group = imageGroup;

export const v1Routes: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/classify',
    summary: 'The most likely classes of each image',
    group,
    parameters: classifyParameters,
    answers: resultsWith({ predictions: z.array(prediction).describe('highest score first') }),
    handle: classify,
  },
  {
    method: 'POST',
    path: '/v1/features',
    summary:
      'The feature vector of each image: JSON, or little-endian float32 [N, F] for Accept: application/octet-stream',
    group,
    parameters: featuresParameters,
    answers: resultsWith(array),
    handle: features,
  },
  {
    method: 'POST',
    path: '/v1/explain',
    summary:
      'Where each image shows a class: a map [h, w] of the center crop; or, for one image and Accept: image/png, a picture',
    group,
    parameters: explainParameters,
    answers: resultsWith({ ...prediction.shape, stage: z.string(), ...array }),
    handle: explain,
  },
  {
    method: 'GET',
    path: '/v1/models',
    summary: 'The models that are served',
    group: 'Models',
    answers: z.object({ object: z.literal('list'), data: z.array(modelItem) }),
    handle: ({ context }) => ({ json: { object: 'list', data: context.models.all.map(describe) } }),
  },
  {
    method: 'GET',
    path: '/v1/models/:model',
    summary: 'One model',
    group: 'Models',
    answers: modelItem,
    handle: ({ context, params }) => {
      const model = context.models.get(params.model);
      return { json: describe(model, context.models.all.indexOf(model)) };
    },
  },
];

function describe({ name, version, loaded, batcher }: ServedModel, position: number): z.output<typeof modelItem> {
  const { variant, config, classes } = batcher.description;
  return {
    id: name,
    object: 'model',
    created: Math.floor(loaded / 1000),
    owned_by: 'resnext',
    version: `${version}`,
    default: position === 0,
    variant,
    classes: [...classes],
    input: { channels: config.inputChannels, size: [...config.inputSize] },
    features: batcher.featureCount,
  };
}

function classify(call: Call): Promise<Answer> {
  return withImages(call, async ({ sent, images }) => {
    const parameters = parsed(classifyParameters, sent.parameters);
    const model = modelFor(call, parameters.model);
    const labels = classNames(model.batcher.description);
    const results = await resultsOf(images, (good) => model.batcher.run(good, { signal: call.signal }));
    return { json: answer(model, results, ({ logits }) => ({ predictions: scored(logits!, labels, parameters) })) };
  });
}

function features(call: Call): Promise<Answer> {
  return withImages(call, async ({ sent, images }) => {
    const model = modelFor(call, parsed(featuresParameters, sent.parameters).model);
    const results = await resultsOf(images, (good) => model.batcher.run(good, { signal: call.signal }));
    if (call.headers.accept !== binary) {
      return { json: answer(model, results, ({ features }) => arrayOf([features.length], features)) };
    }
    const vectors = valuesOf(results).map(({ features }) => features);
    const shape = [vectors.length, model.batcher.featureCount];
    const all = tensor('float32', shape);
    for (const [n, vector] of vectors.entries()) all.data.set(vector, n * vector.length);
    return { bytes: bytesOf(all), type: binary, headers: { 'x-shape': shape.join(',') } };
  });
}

const binary = 'application/octet-stream';

function explain(call: Call): Promise<Answer> {
  return withImages(call, async ({ sent, images }) => {
    const { model: name, class: target, stage, method } = parsed(explainParameters, sent.parameters);
    const model = modelFor(call, name);
    const labels = classNames(model.batcher.description);
    const options = {
      signal: call.signal,
      ...(target !== undefined && { class: target }),
      ...(stage !== undefined && { stage: stage as Stage }),
      ...(method !== undefined && { method: method as ExplainMethod }),
    };
    const results = await resultsOf(images, (good) => model.batcher.explainEach(good, options));
    if (call.headers.accept === 'image/png') return picture(call, model, images, valuesOf(results));
    const item = ({
      label,
      probability,
      stage,
      map,
    }: (typeof results)[number] extends Result<infer T> ? T : never) => ({
      label,
      index: labels.indexOf(label),
      score: short(probability),
      stage,
      ...arrayOf(map.dims, map.data),
    });
    return { json: answer(model, results, item) };
  });
}

/** One explanation over its image. */
async function picture(
  { context }: Call,
  { batcher }: ServedModel,
  images: readonly { readonly name: string; readonly image?: unknown }[],
  explanations: readonly Explanation[],
): Promise<Answer> {
  const [explanation] = explanations;
  const [first] = images;
  if (!explanation || !first || images.length > 1) {
    throw new Problem(
      400,
      `A picture is of one image, but the request has ${images.length}. Leave out Accept: image/png.`,
    );
  }
  const { dims, data } = explanation.map;
  const bytes = await context.draw({
    name: first.name,
    bytes: first.image as Uint8Array,
    maxMegapixels: context.limits.maxMegapixels,
    map: { dims, data },
    preprocessing: batcher.description.preprocessing,
  });
  const headers = { 'x-label': encodeURIComponent(explanation.label), 'x-score': `${short(explanation.probability)}` };
  return { bytes, type: 'image/png', headers };
}

/** The model of a request. It is looked up when the images are there, since it may be replaced until then. */
function modelFor(call: Call, name: string | undefined): ServedModel {
  const model = call.context.models.get(name);
  call.note({ model: model.name });
  return model;
}

const arrayOf = (shape: readonly number[], data: Float32Array) => ({ shape, data: Array.from(data, short) });

const answer = <T>({ name, version }: ServedModel, results: readonly Result<T>[], item: (value: T) => object) => ({
  model: name,
  version: `${version}`,
  results: results.map((result) => {
    const { image } = result;
    return 'problem' in result ? { image, error: result.problem.message } : { image, ...item(result.value) };
  }),
});
