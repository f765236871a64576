/**
 * The parameter groups of a model, which training can freeze: `stem` is everything before the first stage, `layer1` and
 * so on are the stages, `fc` is the classifier. The first word of a tensor's name tells its group.
 */
import { UsageError } from '../errors.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import type { Model } from '../model/resnext.ts';
import { type Weights, weightSpecs } from '../model/weights.ts';
import { elements } from '../tensor.ts';

export const head = 'fc';

/** Stands for every group but the classifier. */
export const backbone = 'backbone';

/** The groups of a model, from the input on. */
export const parameterGroups = ({ depths, classes }: Pick<ResNeXtConfig, 'depths' | 'classes'>): string[] => [
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
 * The groups to freeze, in the model's order and each once; `backbone` stands for every group but the classifier.
 *
 * @throws UsageError naming a group that the model does not have, or when nothing is left to train.
 * @example frozenGroups(['layer1', 'stem'], config) // ['stem', 'layer1']
 */
export function frozenGroups(freeze: readonly string[], config: Pick<ResNeXtConfig, 'depths' | 'classes'>): string[] {
  const groups = parameterGroups(config);
  const unknown = freeze.find((name) => name !== backbone && !groups.includes(name));
  if (unknown !== undefined) throw new UsageError(refusal(unknown, groups));
  const frozen = groups.filter((group) => freeze.includes(group) || (group !== head && freeze.includes(backbone)));
  if (frozen.length === groups.length) {
    throw new UsageError(
      `freeze is "${freeze.join(',')}", which leaves nothing to train; leave out one of ${groups.join(', ')}.`,
    );
  }
  return frozen;
}

function refusal(unknown: string, groups: readonly string[]): string {
  const words = unknown.split(/[\s;]+/);
  const several = words.length > 1 && words.some((word) => groups.includes(word));
  const hint = several ? `; separate groups by commas, as in ${words.join(',')}` : '';
  return `freeze is "${unknown}", but expected parameter groups of this model: ${groups.join(', ')}, or "${backbone}" for all but the last${hint}.`;
}

/** The weights that belong to some groups. */
export const weightsOfGroups = (weights: Weights, groups: readonly string[]): Weights =>
  new Map([...weights].filter(([name]) => groups.includes(groupOf(name))));

/** How many numbers training changes where some groups are frozen. */
export const trainedCount = (model: Model, frozen: readonly string[]): number =>
  weightSpecs(model)
    .filter(({ name, trainable }) => trainable && !frozen.includes(groupOf(name)))
    .reduce((sum, { dims }) => sum + elements(dims), 0);
