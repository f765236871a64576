/** The parameters of requests, in the address, in a form or in JSON, and what is done with them. */
import * as z from 'zod';
import { softmax } from '../classifier/predictions.ts';
import { explainMethods } from '../explain/methods.ts';

const model = z.string().optional().describe('name of the model; default: the first one');
const top = z.coerce.number().int().min(1).optional().describe('number of classes to list; default: 5');
const functions = ['softmax', 'sigmoid', 'none'] as const;

export const classifyParameters = z.strictObject({
  model,
  top,
  top_k: top.describe('the same, as other servers call it'),
  threshold: z.coerce.number().optional().describe('list only classes with at least this score'),
  function_to_apply: z.enum(functions).optional().describe('from logits to scores; default: softmax'),
});

export const featuresParameters = z.strictObject({ model });

export const explainParameters = z.strictObject({
  model,
  class: z.string().optional().describe('name of the class to explain; default: the most likely one'),
  stage: z.string().optional().describe('stage whose maps are weighed, such as layer3; default: the last'),
  method: z.enum(explainMethods).optional().describe('Grad-CAM, or class-activation maps; default: grad-cam'),
});

/** A class and its score. */
export interface Scored {
  readonly label: string;
  readonly index: number;
  readonly score: number;
}

const scores: { readonly [F in (typeof functions)[number]]: (logits: Float32Array) => Float32Array } = {
  softmax,
  sigmoid: (logits) => logits.map((value) => 1 / (1 + Math.exp(-value))),
  none: (logits) => logits,
};

/** The classes with the highest scores, highest first. */
export function scored(
  logits: Float32Array,
  labels: readonly string[],
  { top, top_k, threshold = -Infinity, function_to_apply: apply = 'softmax' }: z.output<typeof classifyParameters>,
): Scored[] {
  const values = scores[apply](logits);
  const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]!);
  return order
    .slice(0, top ?? top_k ?? 5)
    .map((index) => ({ label: labels[index]!, index, score: short(values[index]!) }))
    .filter(({ score }) => score >= threshold);
}

/** A float32 number with as many digits as it has. */
export const short = (value: number): number => Number(value.toPrecision(9));
