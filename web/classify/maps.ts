/** What the grouped convolutions of a network compute: of each stage, the last one, after its normalization and ReLU. */
import { resnext, type SavedModel, setWeights } from 'resnext';
import { type Graph, lowerInference, type Node, Session, type Tensor, type Value } from 'resnext/graph';

/** The maps of one stage, map by map, each from 0 (nothing) to 255 (its largest number). */
export interface StageMaps {
  readonly groups: number;
  /** Maps in a group. */
  readonly perGroup: number;
  readonly height: number;
  readonly width: number;
  readonly bytes: Uint8Array;
  /** The largest number of each map. */
  readonly largest: Float32Array;
}

/** A stage of the network, and the groups of its last grouped convolution. */
export interface Stage {
  readonly name: string;
  readonly groups: number;
}

interface Place extends Stage {
  readonly value: Value;
}

interface OpenStage extends Stage {
  readonly output: string;
}

export class MapReader {
  readonly #session: Session;
  readonly #stages: readonly OpenStage[];

  private constructor(session: Session, stages: readonly OpenStage[]) {
    this.#session = session;
    this.#stages = stages;
  }

  /** @example const maps = await (await MapReader.open(model, ['wasm'])).read(prepared, 'layer2'); */
  static async open(model: SavedModel, providers: readonly string[]): Promise<MapReader> {
    const { graph } = withGroups(model).clone();
    const places = placesIn(graph);
    graph.outputs.splice(0, graph.outputs.length, ...places.map(({ value }) => value));
    graph.removeDead();
    const stages = places.map(({ name, groups, value }) => ({ name, groups, output: value.name }));
    return new MapReader(await Session.open(lowerInference(graph).graph, { providers }), stages);
  }

  /** @param input a prepared image [1, C, H, W]. */
  async read(input: Tensor<'float32'>, name: string): Promise<StageMaps> {
    const { groups, output } = this.#stages.find((stage) => stage.name === name) ?? this.#stages.at(-1)!;
    const results = await this.#session.run(new Map([[this.#session.inputNames[0]!, input]]), [output]);
    return mapsOf(results.get(output) as Tensor<'float32'>, groups);
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }
}

/** The stages that can be shown, without opening anything. */
export const stagesOf = (model: SavedModel): Stage[] =>
  placesIn(withGroups(model)).map(({ name, groups }) => ({ name, groups }));

/** The model's graph, in form C if its weights allow: forms A and B have no grouped convolution to show. */
function withGroups({ description, graph, weights }: SavedModel): Graph {
  if (description.config.form === 'C' || !weights) return graph;
  const model = resnext({ ...description.config, form: 'C' });
  setWeights(model, weights);
  return model.graph;
}

/** The last convolution of each stage that is larger than 1x1, followed to the end of its ReLU. */
function placesIn(graph: Graph): Place[] {
  const places = new Map<string, Place>();
  for (const node of graph.sorted()) {
    const name = /^(layer\d+)\./.exec(node.name)?.[1];
    if (name === undefined || !isSpatial(node)) continue;
    const groups = node.attributes.get('group');
    places.set(name, { name, groups: groups?.kind === 'int' ? groups.value : 1, value: rectified(node.outputs[0]!) });
  }
  return [...places.values()];
}

function isSpatial({ op, attributes }: Node): boolean {
  const kernel = attributes.get('kernel_shape');
  return op === 'Conv' && kernel?.kind === 'ints' && kernel.value.some((side) => side > 1);
}

/** The value after the normalization and the ReLU that follow a convolution. */
function rectified(value: Value): Value {
  const [user, ...others] = value.users;
  if (!user || others.length > 0 || !['BatchNormalization', 'Relu'].includes(user.op)) return value;
  return user.op === 'Relu' ? user.outputs[0]! : rectified(user.outputs[0]!);
}

function mapsOf({ dims, data }: Tensor<'float32'>, groups: number): StageMaps {
  const [, channels, height, width] = dims as [number, number, number, number];
  const area = height * width;
  const bytes = new Uint8Array(data.length);
  const largest = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    const map = data.subarray(c * area, (c + 1) * area);
    const peak = map.reduce((a, b) => Math.max(a, b), 0);
    largest[c] = peak;
    if (peak > 0) for (let i = 0; i < area; i++) bytes[c * area + i] = Math.max(0, (255 * map[i]!) / peak);
  }
  return { groups, perGroup: channels / groups, height, width, bytes, largest };
}
