/**
 * Fine-tuning in the engine, as the command line's `--linear-probe` and then `--recipe finetune`: first a new classifier
 * alone, on features that are computed once, then the whole network, where everything else learns at a tenth of the rate.
 * After each epoch, all that is needed to go on is stored. The order and the variation of the pictures depend on the seed.
 */
import {
  Classifier,
  type ModelDescription,
  type ModelFormat,
  readModel,
  resnext,
  type SavedModel,
  setWeights,
  type Weights,
  withClasses,
  writeModel,
} from 'resnext';
import {
  evaluationTransforms,
  type Image,
  Loader,
  type MadeSample,
  type Preprocessing,
  readImage,
  resize,
  trainTransforms,
} from 'resnext/data';
import { lowerInference, Session, type Tensor, tensor } from 'resnext/graph';
import { Trainer } from 'resnext/train';
import { readSafetensors, writeSafetensors } from 'resnext/weights';
import { type Labeled, rounds, smoothedTargets, trainHead } from './head.ts';
import { type Epoch, noProgress, type Prediction, type Progress } from './progress.ts';
import { files, type Store } from './store.ts';

export interface TrainPicture {
  readonly id: number;
  readonly name: string;
  readonly blob: Blob;
  /** Index of its class. */
  readonly label: number;
  /** Whether it measures the model instead of training it. */
  readonly isHeldOut: boolean;
}

export interface TrainChoice {
  /** The model to start from: its file, or the URL of one beside the page. */
  readonly base: Blob | string;
  readonly classes: readonly { readonly id: number; readonly name: string }[];
  readonly pictures: readonly TrainPicture[];
  /** Of the whole network. */
  readonly epochs: number;
  /** What runs the network, as for a session. */
  readonly providers: readonly string[];
  readonly seed: number;
  /** Whether to go on from what is stored, if there is anything. */
  readonly goOn: boolean;
}

/** What is done now, how much of it, and what has come out so far. */
export interface TrainStep {
  readonly text: string;
  /** From 0 to 1. */
  readonly share: number;
  /** Present when it has changed. */
  readonly progress?: Progress;
}

export interface ExportChoice {
  readonly format: ModelFormat;
  /** The names of the classes, which may have changed since. */
  readonly classes: readonly string[];
}

type Report = (step: TrainStep) => void;

interface Sample extends MadeSample {
  readonly id: number;
}

interface Task extends TrainChoice {
  readonly description: ModelDescription;
  readonly store: Store;
  readonly report: Report;
  readonly training: readonly Sample[];
  readonly heldOut: readonly Sample[];
  readonly loader: Loader;
  /** So that a class with few pictures counts as much as one with many. */
  readonly classWeights: readonly number[];
}

/** Everything that an epoch changes. */
interface State {
  readonly weights: Weights;
  readonly slots: ReadonlyMap<string, Weights>;
  readonly steps: number;
  readonly progress: Progress;
}

const batchSize = 16;
/** As in the recipe `finetune`. */
const [learningRate, backboneRate, decay] = [0.01, 0.1, 1e-4];
const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;

/**
 * Trains on pictures, and keeps the model and the state of the training in the store.
 *
 * @throws UsageError or FormatError in a sentence, if the base cannot be read or the pictures are not enough.
 * @example const { history } = await fineTune(choice, store, ({ text }) => console.log(text));
 */
export async function fineTune(choice: TrainChoice, store: Store, report: Report): Promise<Progress> {
  report({ text: 'Reading the base model', share: 0 });
  const names = choice.classes.map(({ name }) => name);
  const base = withClasses(await readModel(choice.base), names, choice.seed);
  const task = await prepare(choice, base.description, store, report);
  const state = (choice.goOn ? await stored(store) : undefined) ?? (await probe(task, base));
  const end = await trainWhole(task, state);
  await task.loader.close();
  return end;
}

async function prepare(
  choice: TrainChoice,
  description: ModelDescription,
  store: Store,
  report: Report,
): Promise<Task> {
  const { pictures, classes } = choice;
  const samples: Sample[] = [];
  for (const [i, { id, name, blob, label }] of pictures.entries()) {
    if (i % 8 === 0) report({ text: 'Reading pictures', share: i / pictures.length });
    const image = shrunk(await readImage(blob, name), description.preprocessing);
    samples.push({ id, name, label, image: async () => image });
  }
  const [training, heldOut] = [false, true].map((is) => samples.filter((_, i) => pictures[i]!.isHeldOut === is));
  const counts = classes.map((_, k) => training!.filter(({ label }) => label === k).length);
  const classWeights = counts.map((count) => training!.length / (classes.length * Math.max(1, count)));
  return {
    ...choice,
    ...{ description, store, report, training: training!, heldOut: heldOut!, classWeights },
    loader: new Loader({ workers: 0, cache: 0 }),
  };
}

/** A picture as large as the network needs: its shorter side is what the preprocessing makes it anyway. */
function shrunk(image: Image, { resize: side, interpolation }: Preprocessing): Image {
  const shorter = Math.min(image.width, image.height);
  if (shorter <= side) return image;
  const [width, height] = [image.width, image.height].map((length) => Math.round((length * side) / shorter));
  return resize(image, width!, height!, interpolation);
}

/** Trains the classifier alone. */
async function probe(task: Task, base: SavedModel): Promise<State> {
  const { description, training, heldOut, report } = task;
  report({ text: 'Starting ONNX Runtime', share: 0 });
  const network = resnext({ ...description.config, classes: 0 });
  setWeights(network, base.weights!);
  const session = await Session.open(lowerInference(network.graph).graph, { providers: task.providers });
  const total = training.length + heldOut.length;
  let done = 0;
  const featuresOf = async (samples: readonly Sample[]): Promise<Labeled> => {
    const rows: Float32Array[] = [];
    for await (const { count, dims, images } of evaluated(task, samples)) {
      const input = tensor('float32', [count, ...dims.slice(1)], images.slice(0, (images.length / dims[0]) * count));
      rows.push((await session.run(new Map([['input', input]]))).get('features')!.data as Float32Array);
      done += count;
      report({ text: 'Computing features', share: done / total });
    }
    return { features: joined(rows), labels: Int32Array.from(samples, ({ label }) => label) };
  };
  const [known, unknown] = [await featuresOf(training), await featuresOf(heldOut)];
  await session.dispose();
  const { classWeights, seed } = task;
  const options = { config: description.config, optimizer, classWeights, seed };
  let state: State = { weights: base.weights!, slots: new Map(), steps: 0, progress: noProgress };
  for await (const { head, loss, logits } of trainHead(known, unknown, base.weights!, options)) {
    const before = state.progress;
    const progress = withEpoch(before, { phase: 'probe', loss }, logits, task);
    state = { ...state, weights: new Map([...base.weights!, ...head]), progress };
    report({ text: 'Training the classifier', share: progress.history.length / rounds, progress });
    if (progress.best !== before.best) await saveModel(task, state.weights, progress);
  }
  await saveState(task, state);
  return state;
}

/** Trains the whole network, from where the state has it. */
async function trainWhole(task: Task, start: State): Promise<Progress> {
  const { description, training, report, epochs, classWeights, providers, seed } = task;
  let state = start;
  if (epochsOf(state.progress) >= epochs) return state.progress;
  report({ text: 'Opening the training step', share: 0 });
  const batch = Math.min(batchSize, training.length);
  const trainer = await Trainer.open(
    resnext(description.config),
    start.weights,
    {
      ...{ batch, optimizer, backboneRate, classWeights, seed, providers },
      decayOf: (_, isVector) => (isVector ? 0 : decay),
    },
    start,
  );
  const stepsPerEpoch = Math.floor(training.length / batch);
  for (let epoch = epochsOf(state.progress); epoch < epochs; epoch++) {
    let [sum, step] = [0, 0];
    for await (const { images, labels } of epochOf(task, epoch, batch)) {
      const text = `Training the whole network: epoch ${epoch + 1} of ${epochs}`;
      report({ text, share: step / stepsPerEpoch });
      trainer.images.set(images);
      trainer.targets.set(smoothedTargets(labels, task.classes.length));
      await trainer.step(learningRate * cosine((epoch + step++ / stepsPerEpoch) / epochs));
      sum += checked(trainer.loss[0]!);
    }
    report({ text: 'Looking at the pictures that were held out', share: 1 });
    const { weights, slots, steps } = trainer;
    const logits = await logitsOf(task, weights);
    const progress = withEpoch(state.progress, { phase: 'whole', loss: sum / stepsPerEpoch }, logits, task);
    if (progress.best !== state.progress.best) await saveModel(task, weights, progress);
    state = { weights, slots, steps, progress };
    await saveState(task, state);
    report({ text: `Epoch ${epoch + 1} of ${epochs} is done`, share: 1, progress });
  }
  await trainer.dispose();
  return state.progress;
}

const epochsOf = ({ history }: Progress): number => history.filter(({ phase }) => phase === 'whole').length;

const cosine = (share: number): number => (1 + Math.cos(Math.PI * share)) / 2;

function checked(loss: number): number {
  if (Number.isFinite(loss)) return loss;
  throw new Error(`The loss became ${loss}. Train again, from another base model.`);
}

const epochOf = ({ loader, training, description, seed }: Task, epoch: number, batch: number) =>
  loader.batches({
    samples: training,
    transforms: trainTransforms(description.preprocessing, {}),
    batchSize: batch,
    ...{ seed, epoch, shuffle: true, dropLast: true },
  });

const evaluated = ({ loader, description }: Task, samples: readonly Sample[]) =>
  samples.length === 0
    ? []
    : loader.batches({
        samples,
        transforms: evaluationTransforms(description.preprocessing),
        batchSize: Math.min(batchSize, samples.length),
      });

/** The logits [N, K] of the pictures that were held out. */
async function logitsOf(task: Task, weights: Weights): Promise<Float32Array> {
  const { description, heldOut, providers } = task;
  if (heldOut.length === 0) return new Float32Array();
  const model = resnext(description.config);
  setWeights(model, weights);
  const classifier = await Classifier.open({ description, graph: model.graph }, { providers });
  const rows: Float32Array[] = [];
  for await (const { count, dims, images } of evaluated(task, heldOut)) {
    rows.push(await classifier.logits(images.slice(0, (images.length / dims[0]) * count)));
  }
  await classifier.dispose();
  return joined(rows);
}

function joined(rows: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const row of rows) {
    whole.set(row, end);
    end += row.length;
  }
  return whole;
}

/** The progress after an epoch, with what it says about the pictures that were held out. */
function withEpoch(
  { history, best }: Progress,
  epoch: Omit<Epoch, 'heldOut'>,
  logits: Float32Array,
  { heldOut, classes: all }: Task,
): Progress {
  const classes = all.map(({ id }) => id);
  if (heldOut.length === 0)
    return { classes, history: [...history, epoch], best: { epoch: history.length, predictions: [] } };
  let loss = 0;
  const predictions = heldOut.map(({ id, label }, n): Prediction => {
    const row = softmax(logits.subarray(n * classes.length, (n + 1) * classes.length));
    loss -= Math.log(Math.max(1e-12, row[label]!)) / heldOut.length;
    const predicted = row.indexOf(Math.max(...row));
    return { id, label, predicted, probability: row[predicted]! };
  });
  const correct = predictions.filter(({ label, predicted }) => label === predicted).length;
  const score = { loss, top1: (100 * correct) / heldOut.length };
  const former = best && history[best.epoch]!.heldOut!;
  const isBest = !former || score.top1 > former.top1 || (score.top1 === former.top1 && score.loss < former.loss);
  return {
    classes,
    history: [...history, { ...epoch, heldOut: score }],
    best: isBest ? { epoch: history.length, predictions } : best!,
  };
}

function softmax(logits: Float32Array): Float32Array {
  const peak = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - peak));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((value) => value / total);
}

async function saveModel({ description, store }: Task, weights: Weights, { history, best }: Progress): Promise<void> {
  const model = resnext(description.config);
  setWeights(model, weights);
  const { top1, loss } = history[best!.epoch]!.heldOut ?? {};
  const metrics = { epoch: best!.epoch + 1, ...(top1 !== undefined && loss !== undefined && { top1, loss }) };
  const saved = { description: { ...description, metrics }, graph: model.graph, weights };
  await store.write(files.model, writeModel(saved, 'safetensors'));
}

/** The state in one file, so that it is whole or that of the epoch before. */
async function saveState({ store }: Task, { weights, slots, steps, progress }: State): Promise<void> {
  const tensors = new Map([
    ...prefixed('weights.', weights),
    ...[...slots].flatMap(([slot, contents]) => prefixed(`slots.${slot}.`, contents)),
  ]);
  const text = JSON.stringify({ progress, steps });
  await store.write(files.state, writeSafetensors(tensors, new Map([['progress', text]])));
  await store.write(files.progress, new TextEncoder().encode(JSON.stringify(progress)));
}

const prefixed = (prefix: string, weights: Weights): [string, Tensor][] =>
  [...weights].map(([name, contents]) => [prefix + name, contents]);

async function stored(store: Store): Promise<State | undefined> {
  const blob = await store.read(files.state);
  if (!blob) return undefined;
  const { tensors, metadata } = readSafetensors(new Uint8Array(await blob.arrayBuffer()), files.state);
  const { progress, steps } = JSON.parse(metadata.get('progress')!) as Pick<State, 'progress' | 'steps'>;
  const under = (prefix: string): Weights =>
    new Map([...tensors].flatMap(([name, t]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), t]] : [])));
  const slots = under('slots.');
  const names = [...new Set([...slots.keys()].map((name) => name.slice(0, name.indexOf('.'))))];
  return {
    weights: under('weights.'),
    slots: new Map(names.map((name) => [name, under(`slots.${name}.`)])),
    ...{ progress, steps },
  };
}

/** The stored model as a file, with these names of its classes. */
export async function exportModel({ format, classes }: ExportChoice, store: Store): Promise<Blob> {
  const blob = await store.read(files.model);
  if (!blob) throw new Error('There is no trained model yet. Train one.');
  const model = await readModel(blob);
  return new Blob([writeModel({ ...model, description: { ...model.description, classes } }, format)]);
}
