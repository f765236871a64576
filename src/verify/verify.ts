/**
 * Verifies that forms A, B and C of a network are equivalent. With the same weights, parameters, multiply-adds, outputs,
 * every gradient and the running statistics after a training step are compared with form C. Float64 values come from the
 * interpreter on small images, float32 values from the runtime on full-size images.
 */

import { Session, type SessionOptions, sessionFields } from '#platform';
import { callback, checkArgument, checkOptions, type FieldsOf, map } from '../arguments.ts';
import { randomInputs } from '../benchmark/inputs.ts';
import { median, timeInTurn } from '../benchmark/timing.ts';
import { gradient } from '../grad/gradient.ts';
import { cost, runningStatistics, trainedParameters } from '../graph/cost.ts';
import type { Value } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { configKind, type Form, forms, type ResNeXtConfig } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import { gatherWeights, setWeights, type Weights } from '../model/weights.ts';
import { pick, whole } from '../options.ts';
import { nextStatistic, withLoss } from '../step/step.ts';
import { elements, relativeDifference, type Tensor, tensor } from '../tensor.ts';

/** Largest relative differences ‖a − b‖ / ‖a‖ from form C that count as equal. */
export const tolerances = { output64: 1e-10, output32: 1e-4, gradient64: 1e-8, statistics64: 1e-10 } as const;

export type Measure = keyof typeof tolerances;

/** Measures that are not available are absent. */
export interface FormResult extends Readonly<Partial<Record<Measure, number>>> {
  readonly form: Form;
  readonly parameters: number;
  readonly macs: number;
  readonly nodes: number;
  /** Median time per image, in milliseconds. */
  readonly milliseconds: number;
}

/** The result of `verify`: a row per form, compared with form C. */
export interface Verification {
  readonly equivalent: boolean;
  readonly tolerances: Readonly<Record<Measure, number>>;
  /** Height and width, and number, of the images for float64. */
  readonly small?: { readonly size: number; readonly batch: number };
  readonly forms: readonly FormResult[];
}

/** How the forms are run and timed. */
export interface VerifyOptions extends SessionOptions {
  /** Number of timed runs. Defaults to 7. */
  readonly runs?: number;
  /** Called with the share that is done and the current task. */
  readonly onProgress?: (share: number, text: string) => void;
}

export const verifyFields: FieldsOf<VerifyOptions> = {
  ...sessionFields,
  runs: whole({ from: 0, doc: 'number of timed runs' }),
  onProgress: callback('called with the progress'),
};

interface Measured {
  readonly output64: Tensor;
  readonly output32: Tensor;
  readonly gradients: ReadonlyMap<string, Tensor>;
  readonly statistics: ReadonlyMap<string, Tensor>;
  readonly milliseconds: number;
  readonly model: Model;
}

/**
 * Compares a network in forms A, B and C.
 *
 * @param weights in form C.
 * @throws UsageError for an option that there is not or whose value is invalid, or if the weights do not fit the network.
 * @example const { equivalent, forms } = await verify(model.config, initialWeights(model, 1));
 */
export async function verify(
  config: ResNeXtConfig,
  weights: Weights,
  options: VerifyOptions = {},
): Promise<Verification> {
  checkArgument('config', config, configKind);
  checkArgument('weights', weights, map);
  checkOptions(verifyFields, options);
  const small = smallImages(config);
  const measured = new Map<Form, Measured>();
  for (const [i, form] of forms.entries()) {
    const progress = (share: number, text: string) =>
      options.onProgress?.((i + share) / forms.length, `form ${form}: ${text}`);
    measured.set(form, await measure({ ...config, form }, weights, small, options, progress));
  }
  const reference = measured.get('C')!;
  const results = [...measured].map(([form, own]) => compare(form, own, reference));
  return { equivalent: areEquivalent(results), tolerances, small, forms: results };
}

/** Whether every available measure is within its tolerance, and all forms have the same cost. */
export function areEquivalent(results: readonly FormResult[]): boolean {
  return results.every((result) => {
    const close = (Object.keys(tolerances) as Measure[]).every((name) => (result[name] ?? 0) <= tolerances[name]);
    return close && result.parameters === results[0]!.parameters && result.macs === results[0]!.macs;
  });
}

/** Images small enough that the last map has one or four pixels, and enough of them for batch statistics. */
function smallImages({ stem, depths }: ResNeXtConfig): { size: number; batch: number } {
  return { size: Math.max(8, stems[stem].stride * 2 ** (depths.length - 1)), batch: 3 };
}

async function measure(
  config: ResNeXtConfig,
  weights: Weights,
  { size, batch }: Required<Verification>['small'],
  options: VerifyOptions,
  progress: (share: number, text: string) => void,
): Promise<Measured> {
  const model = filled(config, weights);
  const reduced = filled({ ...config, inputSize: [size, size] }, weights);
  progress(0, 'outputs in float64');
  const images = randomInputs(reduced.graph, batch, 1);
  const output64 = [...interpret(reduced.graph, images).values()][0]!;
  progress(0.2, 'a training step in float64');
  const step = trainingValues(reduced, images.get('input')!);
  progress(0.8, 'outputs and time in float32');
  const { output, milliseconds } = await runFloat32(model, options);
  return { model, output64, ...step, output32: output, milliseconds };
}

function filled(config: ResNeXtConfig, weights: Weights): Model {
  const model = resnext(config);
  setWeights(model, weights);
  return model;
}

/** All gradients, and the running statistics after one step, in form C. Without classes, the features are the logits. */
function trainingValues(model: Model, images: Tensor): Pick<Measured, 'gradients' | 'statistics'> {
  const { graph, logits, loss } = withLoss(model.graph, { batch: images.dims[0]! });
  const parameters = [...trainedParameters(graph)];
  const gradients = gradient(graph, loss, parameters);
  const statistics = [...runningStatistics(graph)];
  const next = statistics.map(nextStatistic);
  const feeds = new Map([
    ['input', images],
    ['targets', oneHot(logits.dims as number[])],
  ]);
  graph.outputs.splice(0, graph.outputs.length, ...new Set([...gradients, ...next]));
  const results = interpret(graph, feeds);
  const inFormC = (values: readonly Value[], found: readonly Value[]) => {
    const byName = new Map(values.map(({ name }, i) => [name, results.get(found[i]!.name)!]));
    return gatherWeights(model, ({ value }) => byName.get(value.name));
  };
  return { gradients: inFormC(parameters, gradients), statistics: inFormC(statistics, next) };
}

/** Targets where image n has class n, modulo the number of classes. */
function oneHot(dims: readonly number[]): Tensor {
  const [batch, classes] = dims as [number, number];
  const data = new Float32Array(elements(dims));
  for (let n = 0; n < batch; n++) data[n * classes + (n % classes)] = 1;
  return tensor('float32', dims, data);
}

async function runFloat32({ graph }: Model, options: VerifyOptions): Promise<{ output: Tensor; milliseconds: number }> {
  const session = await Session.open(graph, pick<SessionOptions>(sessionFields, options));
  try {
    const feeds = randomInputs(graph, 1, 2);
    const [output] = [...(await session.run(feeds)).values()];
    const [times] = await timeInTurn([{ session, feeds }], options.runs ?? 7);
    return { output: output!, milliseconds: median(times!) };
  } finally {
    await session.dispose();
  }
}

function compare(form: Form, own: Measured, reference: Measured): FormResult {
  const largest = (a: ReadonlyMap<string, Tensor>, b: ReadonlyMap<string, Tensor>) =>
    Math.max(0, ...[...b].map(([name, value]) => relativeDifference(value, a.get(name)!)));
  return {
    form,
    ...cost(own.model.graph),
    output64: relativeDifference(reference.output64, own.output64),
    output32: relativeDifference(reference.output32, own.output32),
    gradient64: largest(own.gradients, reference.gradients),
    statistics64: largest(own.statistics, reference.statistics),
    milliseconds: own.milliseconds,
  };
}
