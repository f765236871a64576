/** A model at work in the engine: opened where it is fastest, and asked about pictures. */
import { Classifier, drawExplanation, type Prediction, readModel, type SavedModel } from 'resnext';
import { type Image, readImage, resize } from 'resnext/data';
import { availableProviders, cost, type Tensor, tensor, thisMachine } from 'resnext/graph';
import { MapReader, type Stage, type StageMaps, stagesOf } from './maps.ts';
import { type Provider, providers } from './providers.ts';

export interface ModelChoice {
  /** A file that was given to the page, or the URL of one beside it. */
  readonly source: Blob | string;
  /** Undefined is the fastest that there is. */
  readonly provider: Provider | undefined;
}

/** What the page says about an opened model. */
export interface ModelFacts {
  readonly variant: string;
  readonly classes: number;
  /** Height and width of the input in pixels. */
  readonly size: number;
  readonly parameters: number;
  readonly macs: number;
  readonly cardinality: number;
  readonly stages: readonly Stage[];
  readonly provider: Provider;
  /** Of WebAssembly. */
  readonly threads: number;
  readonly available: readonly Provider[];
  /** Sentences about how the model was read and where it runs. */
  readonly notes: readonly string[];
}

export interface Picture {
  /** Tells pictures apart. */
  readonly id: number;
  readonly blob: Blob;
}

export interface Classified {
  readonly predictions: readonly Prediction[];
  /** Milliseconds to decode and resize the picture, and to run the network. */
  readonly prepared: number;
  readonly ran: number;
}

export interface LookChoice {
  readonly picture: Picture;
  readonly stage: string;
  /** The class whose regions are shown; undefined is the most likely one. */
  readonly label: string | undefined;
}

/** A picture as a network sees it. */
export interface Look {
  readonly label: string;
  /** The picture in the size of its heat, and the heat over it. */
  readonly plain: ImageBitmap;
  readonly heat: ImageBitmap;
  readonly maps: StageMaps;
}

interface Opened {
  readonly model: SavedModel;
  readonly classifier: Classifier;
  readonly provider: Provider;
  readonly notes: readonly string[];
}

interface Prepared {
  readonly id: number;
  readonly image: Image;
  readonly input: Tensor<'float32'>;
  readonly milliseconds: number;
}

let opened: Opened | undefined;
let maps: Promise<MapReader> | undefined;
let last: Prepared | undefined;

/** Opens a model. If it cannot be opened, the one before stays. */
export async function openModel(
  { source, provider }: ModelChoice,
  report: (text: string) => void,
): Promise<ModelFacts> {
  report(typeof source === 'string' ? 'Loading the model' : 'Reading the model');
  const model = await readModel(source);
  const available = (await availableProviders()) as Provider[];
  report('Starting ONNX Runtime');
  const next = await openOn(model, provider ?? (available.includes('webgpu') ? 'webgpu' : 'wasm'));
  await closeModel();
  opened = next;
  const { description } = model;
  const { parameters, macs } = cost(model.graph);
  return {
    variant: description.variant,
    classes: description.config.classes,
    size: description.preprocessing.size,
    parameters,
    macs,
    cardinality: description.config.cardinality,
    stages: stagesOf(model),
    provider: next.provider,
    threads: (await thisMachine()).cores,
    available: providers.filter((name) => available.includes(name)),
    notes: [...next.notes, ...next.classifier.notes],
  };
}

async function closeModel(): Promise<void> {
  const closing = [opened?.classifier, await maps?.catch(() => undefined)];
  [opened, maps, last] = [undefined, undefined, undefined];
  await Promise.all(closing.map((each) => each?.dispose()));
}

/** Runs an empty picture, which compiles what there is to compile. Where WebGPU fails at that, WebAssembly takes over. */
async function openOn(model: SavedModel, provider: Provider): Promise<Opened> {
  const { inputChannels, inputSize } = model.description.config;
  try {
    const classifier = await Classifier.open(model, { providers: [provider] });
    await classifier.classify(tensor('float32', [1, inputChannels, ...inputSize]));
    return { model, classifier, provider, notes: [] };
  } catch (error) {
    if (provider === 'wasm') throw error;
    const other = await openOn(model, 'wasm');
    const reason = error instanceof Error ? error.message : String(error);
    return { ...other, notes: [`WebGPU did not run this model, so WebAssembly does: ${reason}`] };
  }
}

function current(): Opened {
  if (opened) return opened;
  throw new Error('No model is open. Choose one.');
}

export async function classify(picture: Picture): Promise<Classified> {
  const { classifier } = current();
  const { input, milliseconds } = await prepare(picture);
  const start = performance.now();
  const predictions = await classifier.classify(input);
  return { predictions, prepared: milliseconds, ran: performance.now() - start };
}

/** Explains a prediction, and reads the maps of a stage. */
export async function look({ picture, stage, label }: LookChoice): Promise<Look> {
  const { model, classifier, provider } = current();
  const { image, input } = await prepare(picture);
  const explained = await classifier.explain(input, {
    stage: stage as `layer${number}`,
    ...(label !== undefined && { class: label }),
  });
  const heat = drawExplanation(image, explained.map, model.description.preprocessing);
  maps ??= MapReader.open(model, [provider]);
  return {
    label: explained.label,
    plain: await bitmapOf(resize(image, heat.width, heat.height, 'bicubic')),
    heat: await bitmapOf(heat),
    maps: await (await maps).read(input, stage),
  };
}

/** The picture that was asked about last is kept, since the next question is mostly about it. */
async function prepare({ id, blob }: Picture): Promise<Prepared> {
  if (last?.id === id) return last;
  const start = performance.now();
  const image = await readImage(blob, blob instanceof File ? blob.name : 'The picture');
  const input = await current().classifier.prepare(image);
  last = { id, image, input, milliseconds: performance.now() - start };
  return last;
}

/** RGB or gray pixels as a picture that the page can draw. */
function bitmapOf({ width, height, channels, data }: Image): Promise<ImageBitmap> {
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = data[i * channels + Math.min(c, channels - 1)]!;
  }
  return createImageBitmap(new ImageData(rgba, width, height));
}
