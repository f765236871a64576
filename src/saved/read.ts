/**
 * Models from bytes, in any environment. Weights files and ONNX files written by this package contain a description of
 * the model; external weights are recognized by their tensors. `files.ts` reads paths and accompanying files.
 */
import { checkArgument, checkOptions, type FieldsOf, isOf, kind } from '../arguments.ts';
import type { PublishedWeights } from '../catalog/entry.ts';
import { weightsOfPath } from '../catalog/published.ts';
import { lookUpShipped } from '../catalog/shipped.ts';
import { type ImportOptions, importWeights } from '../checkpoints/import.ts';
import { isNetwork } from '../checkpoints/recognize.ts';
import { FormatError, UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import { leastTensors } from '../model/limits.ts';
import { resnext } from '../model/resnext.ts';
import { countNames, gatherWeights, type Weights, weightSpecs } from '../model/weights.ts';
import { readOnnx } from '../onnx/read.ts';
import { flag, oneOf, text } from '../options.ts';
import type { Tensor } from '../tensor.ts';
import { readStateDict } from '../weights/read.ts';
import { bytesSource } from '../weights/source.ts';
import { checkFinite, floatTensor, key, type StateDict, type StateDictOptions } from '../weights/state-dict.ts';
import { checkNodeCount, checkShapes, checkTensorCount } from './described.ts';
import { descriptionKey, readDescription } from './description.ts';
import { fromStateDict, withChannels } from './external.ts';
import { assemble, type SavedModel } from './model.ts';
import { unwrap } from './wrappers.ts';

/** How a model is read. */
export interface LoadOptions {
  /**
   * Leave weights in their file and read each tensor whenever its `data` is accessed, for callers that use each once.
   * The file must not change. ONNX files are always read completely.
   */
  readonly lazy?: boolean;
  /**
   * The key of the network to open in a checkpoint with several, such as `teacher`, or the beginning of its tensors'
   * names. Default: a moving average before a teacher, the best weights and all others.
   */
  readonly key?: string;
  /** 1 for grayscale or 3 for color. A model with other channels gets an adapted stem and preprocessing. */
  readonly inputChannels?: 1 | 3;
}

/** `LoadOptions` with their checks. */
export const loadFields: FieldsOf<LoadOptions> = {
  lazy: flag({ doc: 'leave weights in the file' }),
  key,
  inputChannels: oneOf([1, 3], { doc: 'grayscale or color' }),
};

const readFields: FieldsOf<ReadModelOptions> = { ...loadFields, name: text({ doc: 'name in messages' }) };

/** The contents of a model's file, or where they are. */
export type ModelSource = Uint8Array | ArrayBuffer | Blob | URL | string;

/** A model's file, as an argument. */
export const modelSourceKind = kind(
  'a URL, a Blob, an ArrayBuffer or a Uint8Array',
  (value) =>
    (typeof value === 'string' && value !== '') || isOf(value, 'URL', 'Blob', 'File', 'ArrayBuffer', 'Uint8Array'),
);

/** How a model is read from bytes. */
export interface ReadModelOptions extends LoadOptions {
  /** Name in messages, which also helps to recognize the variant. Default: the URL's path or the file's name. */
  readonly name?: string;
}

/**
 * Reads a model from the bytes of its file: weights in any naming scheme, or an ONNX file exported by this package.
 *
 * @param source the bytes, a Blob of them (such as a File that the user chose), or a URL to fetch them from. A URL that ends in
 *   a slash is that of a model's folder.
 * @throws UsageError if the URL cannot be fetched; FormatError if the bytes are damaged or not a ResNeXt, or a weight is
 *   NaN or infinite.
 * @example const { description, graph, weights } = await readModel('/models/flowers/model.safetensors');
 */
export async function readModel(source: ModelSource, options: ReadModelOptions = {}): Promise<SavedModel> {
  checkArgument('source', source, modelSourceKind);
  checkOptions(readFields, options);
  const { name = sourceName(source), key, lazy = false, ...changes } = options;
  const bytes = await bytesOf(source);
  const model = isOnnx(bytes)
    ? describedOnnx(readOnnx(bytes, { name }), name)
    : await fromWeights(await readStateDict(bytesSource(bytes), name, stateDictOptions(key)), name, {
        ...changes,
        lazy,
      });
  return changes.inputChannels === undefined ? model : withChannels(model, changes.inputChannels);
}

export const stateDictOptions = (key: string | undefined): StateDictOptions => ({
  isNetwork,
  ...(key !== undefined && { key }),
});

function sourceName(source: ModelSource): string {
  if (!isAddress(source)) return 'name' in source ? String(source.name) : 'The model';
  const { protocol, pathname } = new URL(source, 'file:///');
  return protocol === 'data:' ? 'The model' : pathname;
}

async function bytesOf(source: ModelSource): Promise<Uint8Array> {
  if (isOf(source, 'Uint8Array')) return source as Uint8Array;
  if (isOf(source, 'ArrayBuffer')) return new Uint8Array(source as ArrayBuffer);
  return new Uint8Array(await (isAddress(source) ? await fetched(`${source}`) : (source as Blob)).arrayBuffer());
}

const isAddress = (source: ModelSource): source is URL | string => typeof source === 'string' || isOf(source, 'URL');

/** A folder's URL with the name of its weights file. */
const fileAt = (url: string): string =>
  /^(data|blob):/i.test(url) ? url : url.replace(/\/(?=$|[?#])/, '/model.safetensors');

async function fetched(source: string): Promise<Response> {
  if (!URL.canParse(source, globalThis.location?.href)) {
    throw new UsageError(`"${source}" is not a URL; open a path with load("${source}").`);
  }
  if (lookUpShipped(source)) {
    throw new UsageError(
      `"${source}" ships with this package, but in a browser it is opened by the URL at which your server has its file, resnext/models/${source}/model.safetensors.`,
    );
  }
  const url = fileAt(source);
  const response = await fetch(url).catch((cause: Error) => {
    throw new UsageError(`The model ${url} cannot be fetched: ${cause.message}.`, { cause });
  });
  if (response.ok) return response;
  throw new UsageError(`The model ${url} cannot be fetched: the server responded ${response.status}.`);
}

/** Starts with the field `ir_version`. A safetensors file can start with the same byte, but its ninth is a brace. */
const isOnnx = (bytes: Uint8Array): boolean => bytes[0] === 0x08 && bytes[8] !== 0x7b;

const fromWeights = (stored: StateDict, name: string, options: LoadOptions): SavedModel =>
  describedWeights(stored, name, options) ?? fromStateDict(stored, { ...pathHints(name), ...options, source: name });

/** What a path reveals about external weights. In the hub's cache, files are two folders below the model's name. */
export function pathHints(path: string): { readonly hint: string; readonly entry: PublishedWeights | undefined } {
  return { hint: path.split(/[/\\]/).slice(-4).join('/'), entry: weightsOfPath(path) };
}

/**
 * The model in a weights file with a description; undefined for external weights. The tensors have this package's
 * names, in the model's own form or in form C, or those of a layout.
 */
export function describedWeights(stored: StateDict, source: string, options: LoadOptions): SavedModel | undefined {
  const { metadata, tensors } = stored.metadata.has('progress') ? modelInCheckpoint(stored) : stored;
  const text = metadata.get(descriptionKey);
  if (!text) return undefined;
  const description = readDescription(text, source);
  const lazy = options.lazy === true;
  checkTensorCount(description.config, tensors.size, source);
  const weights = weightsUnder(description.config, tensors, { source, hint: description.variant, lazy });
  checkShapes(description.config, weights, source);
  return assemble(description, weights);
}

/** What a checkpoint of a run has of its model: the weights, or their average where one is kept. */
function modelInCheckpoint({ metadata, tensors }: StateDict): Pick<StateDict, 'metadata' | 'tensors'> {
  const under = (prefix: string) =>
    [...tensors].flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    );
  return {
    metadata: new Map([[descriptionKey, metadata.get('description') ?? '']]),
    tensors: new Map([...under('weights.'), ...under('average.')]),
  };
}

function weightsUnder(
  config: ResNeXtConfig,
  tensors: StateDict['tensors'],
  options: ImportOptions & LoadOptions,
): Weights {
  const { source = 'The state dict', lazy } = options;
  const read = (name: string) => floatTensor(tensors.get(name)!, { name, source, lazy });
  const branches = config.form !== 'C' && tensors.size >= leastTensors(config) ? resnext(config) : undefined;
  if (branches?.parameters.every(({ value }) => tensors.has(value.name))) {
    return gatherWeights(branches, ({ value }) => read(value.name));
  }
  const model = resnext({ ...config, form: 'C' });
  const formC = weightSpecs(model);
  if (!formC.every(({ name }) => tensors.has(name))) return importWeights(tensors, options).weights;
  const counts = countNames(model).flatMap((name) => {
    const stored = tensors.get(name);
    return stored ? [[name, stored.read()] as const] : [];
  });
  return new Map([...formC.map(({ name }): [string, Tensor] => [name, read(name)]), ...counts]);
}

/** Like `describedModel`, but throws a FormatError for an external graph. */
export function describedOnnx(graph: Graph, file: string): SavedModel {
  const model = describedModel(graph, file);
  if (model) return model;
  throw new FormatError(`${file} has no description of its model, so it was not exported by this package.`);
}

/**
 * The model in an ONNX graph with a description; undefined for external graphs. Wrappers around the network are removed
 * from the graph, in place.
 *
 * @throws FormatError if the graph does not match its description, or a weight is NaN or infinite.
 */
export function describedModel(graph: Graph, file: string): SavedModel | undefined {
  const text = graph.metadata.get(descriptionKey);
  if (!text) return undefined;
  const { wrappers = [], ...description } = readDescription(text, file);
  checkNodeCount(description.config, graph, file);
  unwrap(graph, wrappers, file);
  const contents = new Map([...graph.initializers].flatMap(({ name, tensor }) => (tensor ? [[name, tensor]] : [])));
  for (const [name, weight] of contents) if (weight.dtype === 'float32') checkFinite(weight, name, file);
  const weights = weightsOf(description.config, contents);
  return { description, graph, ...(weights && { weights }) };
}

/** Form C weights from tensors with the names of the model's own form, if none is missing. */
function weightsOf(config: ResNeXtConfig, tensors: Weights): Map<string, Tensor> | undefined {
  if (tensors.size < leastTensors(config)) return undefined;
  const model = resnext(config);
  if (!model.parameters.every(({ value }) => tensors.has(value.name))) return undefined;
  return gatherWeights(model, ({ value }) => tensors.get(value.name));
}
