/**
 * Models from bytes, anywhere: files that this package wrote say which model they hold, in weights files and ONNX files
 * alike; weights of others are recognized by their tensors. `files.ts` reads paths, and what lies beside them.
 */
import type { PublishedWeights } from '../catalog/entry.ts';
import { weightsOfPath } from '../catalog/published.ts';
import { type ImportOptions, importWeights } from '../checkpoints/import.ts';
import { FormatError, UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { countNames, gatherWeights, type Weights, weightSpecs } from '../model/weights.ts';
import { readOnnx } from '../onnx/read.ts';
import type { Tensor } from '../tensor.ts';
import { readStateDict } from '../weights/read.ts';
import { bytesSource } from '../weights/source.ts';
import { floatTensor, type StateDict } from '../weights/state-dict.ts';
import { descriptionKey, readDescription } from './description.ts';
import { fromStateDict, withChannels } from './external.ts';
import { assemble, type SavedModel } from './model.ts';
import { unwrap } from './wrappers.ts';

export interface LoadOptions {
  /**
   * Leave weights in their file and read each whenever its `data` is asked for, for callers that look at each once. The
   * file must stay as it is. An ONNX file is read whole.
   */
  readonly lazy?: boolean;
  /** 1 for grayscale or 3 for color: a stem for other channels is adapted, and the preprocessing with it. */
  readonly inputChannels?: 1 | 3;
}

export interface ReadModelOptions extends LoadOptions {
  /** What messages call the model; its name may also tell variants apart. By default the URL's path, or the file's name. */
  readonly name?: string;
}

/**
 * Reads a model from the bytes of its file: weights whoever saved them, or an ONNX file that this package exported.
 *
 * @param source the bytes, a Blob of them (such as a File that a person chose), or a URL to fetch them from.
 * @throws UsageError when the URL cannot be fetched; FormatError when the bytes are not sound, or no ResNeXt.
 * @example const { description, graph, weights } = await readModel('/models/flowers/model.safetensors');
 */
export async function readModel(
  source: Uint8Array | Blob | string,
  options: ReadModelOptions = {},
): Promise<SavedModel> {
  const { name = nameOf(source), lazy = false, inputChannels } = options;
  const bytes = await bytesOf(source);
  const model = isOnnx(bytes)
    ? describedOnnx(readOnnx(bytes, { name }), name)
    : await fromWeights(await readStateDict(bytesSource(bytes), name), name, { ...options, lazy });
  return inputChannels === undefined ? model : withChannels(model, inputChannels);
}

function nameOf(source: Uint8Array | Blob | string): string {
  if (typeof source !== 'string') return 'name' in source ? String(source.name) : 'The model';
  const { protocol, pathname } = new URL(source, 'file:///');
  return protocol === 'data:' ? 'The model' : pathname;
}

async function bytesOf(source: Uint8Array | Blob | string): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  return new Uint8Array(await (typeof source === 'string' ? await fetched(source) : source).arrayBuffer());
}

async function fetched(url: string): Promise<Response> {
  if (!URL.canParse(url, globalThis.location?.href)) {
    throw new UsageError(`"${url}" is not a URL; open a path with load("${url}").`);
  }
  const response = await fetch(url).catch((cause: Error) => {
    throw new UsageError(`The model ${url} cannot be fetched: ${cause.message}.`, { cause });
  });
  if (response.ok) return response;
  throw new UsageError(`The model ${url} cannot be fetched: the server answers ${response.status}.`);
}

/** Begins with the field `ir_version`; only a safetensors file can too, whose ninth byte opens its header. */
const isOnnx = (bytes: Uint8Array): boolean => bytes[0] === 0x08 && bytes[8] !== 0x7b;

const fromWeights = (stored: StateDict, name: string, options: LoadOptions): SavedModel =>
  describedWeights(stored, name, options) ?? fromStateDict(stored, { ...pathHints(name), ...options, source: name });

/** What a path tells of the weights of others. The hub's cache keeps files two folders below a model's name. */
export function pathHints(path: string): { readonly hint: string; readonly entry: PublishedWeights | undefined } {
  return { hint: path.split(/[/\\]/).slice(-4).join('/'), entry: weightsOfPath(path) };
}

/**
 * The model that a weights file's description says it is; undefined for weights of others. The weights have our names,
 * in the model's own form or in form C, or those of a layout.
 */
export function describedWeights(stored: StateDict, source: string, options: LoadOptions): SavedModel | undefined {
  const { metadata, tensors } = stored.metadata.has('progress') ? modelInCheckpoint(stored) : stored;
  const text = metadata.get(descriptionKey);
  if (!text) return undefined;
  const description = readDescription(text, source);
  const lazy = options.lazy === true;
  const weights = weightsUnder(resnext(description.config), tensors, { source, hint: description.variant, lazy });
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

function weightsUnder(model: Model, tensors: StateDict['tensors'], options: ImportOptions & LoadOptions): Weights {
  const read = (name: string) => floatTensor(tensors.get(name)!, options.lazy === true);
  const formC = weightSpecs(model);
  const isInBranches = model.config.form !== 'C' && model.parameters.every(({ value }) => tensors.has(value.name));
  if (isInBranches) return gatherWeights(model, ({ value }) => read(value.name));
  if (!formC.every(({ name }) => tensors.has(name))) return importWeights(tensors, options).weights;
  const counts = countNames(model).flatMap((name) => {
    const stored = tensors.get(name);
    return stored ? [[name, stored.read()] as const] : [];
  });
  return new Map([...formC.map(({ name }): [string, Tensor] => [name, read(name)]), ...counts]);
}

/** `describedModel`, or the FormatError that it is a graph of others. */
export function describedOnnx(graph: Graph, file: string): SavedModel {
  const model = describedModel(graph, file);
  if (model) return model;
  throw new FormatError(`${file}: the file does not say which model it is; it was not exported by this package.`);
}

/**
 * The model that an ONNX file's graph says it is; undefined for graphs of others. Wrappers around the network are taken
 * out of the graph, in place.
 *
 * @throws FormatError when the graph is not what its description says.
 */
export function describedModel(graph: Graph, file: string): SavedModel | undefined {
  const text = graph.metadata.get(descriptionKey);
  if (!text) return undefined;
  const { wrappers = [], ...description } = readDescription(text, file);
  unwrap(graph, wrappers, file);
  const contents = new Map([...graph.initializers].flatMap(({ name, tensor }) => (tensor ? [[name, tensor]] : [])));
  const weights = weightsOf(resnext(description.config), contents);
  return { description, graph, ...(weights && { weights }) };
}

/** Form C weights from tensors under the names of the model's own form, if they are all there. */
function weightsOf(model: Model, tensors: Weights): Map<string, Tensor> | undefined {
  if (!model.parameters.every(({ value }) => tensors.has(value.name))) return undefined;
  return gatherWeights(model, ({ value }) => tensors.get(value.name));
}
