/**
 * The parameter groups of a model, which training can freeze: `stem` is everything before the first stage, `layer1`,
 * `layer2`, … are the stages, and `fc` is the classifier. The first part of a tensor's name determines its group.
 */
import { UsageError } from '../errors.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import type { Model } from '../model/resnext.ts';
import { type WeightSpec, type Weights, weightSpecs } from '../model/weights.ts';
import { elements } from '../tensor.ts';

export const head = 'fc';

/** Stands for every group but the classifier. */
export const backbone = 'backbone';

/** The part of a config that determines the groups. */
type Groups = Pick<ResNeXtConfig, 'depths' | 'classes'>;

/** The groups of a model, from the input on. */
const parameterGroups = ({ depths, classes }: Groups): string[] => [
  'stem',
  ...depths.map((_, stage) => `layer${stage + 1}`),
  ...(classes > 0 ? [head] : []),
];

/** The group that a tensor belongs to. */
export function groupOf(tensorName: string): string {
  const [first] = tensorName.split('.') as [string];
  return first === head || /^layer\d+$/.test(first) ? first : 'stem';
}

/**
 * The groups to freeze, in the model's order and without duplicates. `backbone` stands for every group but the classifier.
 *
 * @throws UsageError naming a group that the model does not have, or if nothing is left to train.
 * @example frozenGroups(['layer1', 'stem'], config) // ['stem', 'layer1']
 */
export function frozenGroups(freeze: readonly string[], config: Groups): string[] {
  const reason = freezeRefusal(freeze, config);
  if (reason !== undefined) throw new UsageError(`freeze is ${reason}`);
  return groupsIn(freeze, parameterGroups(config));
}

/** The names of groups in networks of any number of stages. */
const anyGroups = ['stem', 'layer1', 'layer2', '…', head];
const isGroupName = (name: string): boolean => anyGroups.includes(name) || /^layer[1-9]\d*$/.test(name);

/**
 * Why a network does not accept these groups, to follow the words "freeze is"; undefined if it does.
 *
 * @param config of the network. Default: any.
 */
export function freezeRefusal(freeze: readonly string[], config?: Groups): string | undefined {
  const groups = config ? parameterGroups(config) : anyGroups;
  const isKnown = (name: string) => (config ? groups.includes(name) : isGroupName(name));
  const unknown = freeze.find((name) => name !== backbone && !isKnown(name));
  if (unknown !== undefined) return unknownGroup(unknown, groups);
  if (groupsIn(freeze, groups).length < groups.length) return undefined;
  return `"${freeze.join(',')}", which leaves nothing to train. Leave out one of ${groups.join(', ')}.`;
}

const groupsIn = (freeze: readonly string[], groups: readonly string[]): string[] =>
  groups.filter((group) => freeze.includes(group) || (group !== head && freeze.includes(backbone)));

function unknownGroup(unknown: string, groups: readonly string[]): string {
  const words = unknown.split(/[\s;]+/);
  const several = words.length > 1 && words.some((word) => groups.includes(word));
  const hint = several ? ` Separate groups by commas, as in ${words.join(',')}.` : '';
  return `"${unknown}", but expected parameter groups of this model: ${groups.join(', ')}, or "${backbone}" for all but the last.${hint}`;
}

/** The weights in some groups. */
export const weightsOfGroups = (weights: Weights, groups: readonly string[]): Weights =>
  new Map([...weights].filter(([name]) => groups.includes(groupOf(name))));

/** The parameters that are trained if some groups are frozen. */
export const trainedSpecs = (model: Model, frozen: readonly string[]): WeightSpec[] =>
  weightSpecs(model).filter(({ name, trainable }) => trainable && !frozen.includes(groupOf(name)));

/** The number of parameters that are trained if some groups are frozen. */
export const trainedCount = (model: Model, frozen: readonly string[]): number =>
  trainedSpecs(model, frozen).reduce((sum, { dims }) => sum + elements(dims), 0);
