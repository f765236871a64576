/** Ways in that clients of other servers use: Hugging Face's and SageMaker's, TorchServe's, and version 1 of KServe's. */
import * as z from 'zod';
import { classNames } from '../classifier/labels.ts';
import { parsed, resultsOf, valuesOf, withImages } from './images.ts';
import { classifyParameters, type Scored, scored } from './parameters.ts';
import type { Call, Route } from './route.ts';

/** Other servers ignore parameters that they do not know. */
const parameters = z.object(classifyParameters.shape);

const scores = z.array(z.object({ label: z.string(), score: z.number() }));
const probabilities = z.record(z.string(), z.number()).describe('the five most likely classes');

const group = 'As other servers';

const huggingFace = (path: string, summary: string): Route => ({
  method: 'POST',
  path,
  summary,
  group,
  parameters,
  answers: z.union([scores, z.array(scores)]),
  handle: async (call) => {
    const { lists, isSingle } = await classified(call);
    const items = lists.map((list) => list.map(({ label, score }) => ({ label, score })));
    return { json: isSingle ? items[0]! : items };
  },
});

const torchServe = (path: string): Route => ({
  method: 'POST',
  path,
  summary: 'As TorchServe: probabilities by class',
  group,
  parameters,
  answers: probabilities,
  handle: async (call) => {
    const { lists, isSingle } = await classified(call);
    return { json: isSingle ? byLabel(lists[0]!) : lists.map(byLabel) };
  },
});

export const aliasRoutes: readonly Route[] = [
  huggingFace('/', 'As Hugging Face: labels and scores'),
  huggingFace('/predict', 'As Hugging Face: labels and scores'),
  huggingFace('/invocations', 'As SageMaker: labels and scores'),
  torchServe('/predictions/:model'),
  torchServe('/predictions/:model/:version'),
  {
    method: 'POST',
    path: '/v1/models/:model::predict',
    summary: 'As KServe, version 1: { "instances": [{ "b64": … }] }',
    group,
    parameters,
    answers: z.object({ predictions: z.array(probabilities) }),
    handle: async (call) => ({ json: { predictions: (await classified(call)).lists.map(byLabel) } }),
  },
];

const byLabel = (list: readonly Scored[]) => Object.fromEntries(list.map(({ label, score }) => [label, score]));

/** Classifies the images of a request, all of which must be readable. */
function classified(call: Call): Promise<{ readonly lists: readonly Scored[][]; readonly isSingle: boolean }> {
  return withImages(call, async ({ sent, images }) => {
    const given = parsed(parameters, sent.parameters);
    const { name, batcher } = call.context.models.get(call.params.model ?? given.model, call.params.version);
    call.note({ model: name });
    const labels = classNames(batcher.description);
    const results = await resultsOf(images, (good) => batcher.run(good, { signal: call.signal }));
    return { lists: valuesOf(results).map(({ logits }) => scored(logits!, labels, given)), isSingle: sent.isSingle };
  });
}
