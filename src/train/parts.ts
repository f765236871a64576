/**
 * The parts of a net that training can leave as they are: `stem` is what stands before the first stage, `layer1` and so
 * on are the stages, `fc` is the classifier. A tensor's part is told by the first word of its name.
 */
import { UsageError } from '../errors.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import type { Model } from '../model/resnext.ts';
import { type Weights, weightSpecs } from '../model/weights.ts';

export const head = 'fc';

/** Means every part but the classifier. */
export const backbone = 'backbone';

/** The parts of a net, from the images on. */
export const partsOf = ({ depths, classes }: Pick<ResNeXtConfig, 'depths' | 'classes'>): string[] => [
  'stem',
  ...depths.map((_, stage) => `layer${stage + 1}`),
  ...(classes > 0 ? [head] : []),
];

/** The part that a tensor belongs to. */
export function partOf(tensorName: string): string {
  const [first] = tensorName.split('.') as [string];
  return first === head || /^layer\d+$/.test(first) ? first : 'stem';
}

/**
 * The parts that are meant, in the net's order and each once; `all but fc` stands for every part but the classifier.
 *
 * @throws UsageError naming a part that the net does not have, or when nothing is left to train.
 * @example frozenParts(['layer1', 'stem'], config) // ['stem', 'layer1']
 */
export function frozenParts(freeze: readonly string[], config: Pick<ResNeXtConfig, 'depths' | 'classes'>): string[] {
  const parts = partsOf(config);
  const unknown = freeze.find((name) => name !== backbone && !parts.includes(name));
  if (unknown !== undefined) {
    const words = unknown.split(/[\s;]+/);
    const several = words.length > 1 && words.some((word) => parts.includes(word));
    const apart = several ? `; parts are separated by commas, as in ${words.join(',')}` : '';
    throw new UsageError(
      `freeze = "${unknown}" is no part of this net; its parts are ${parts.join(', ')}, and "${backbone}" stands for every part but the last${apart}.`,
    );
  }
  const frozen = parts.filter((part) => freeze.includes(part) || (part !== head && freeze.includes(backbone)));
  if (frozen.length === parts.length) {
    throw new UsageError(
      `freeze = "${freeze.join(',')}" leaves nothing to train; leave out one of ${parts.join(', ')}.`,
    );
  }
  return frozen;
}

/** The weights that belong to some parts. */
export const weightsOfParts = (weights: Weights, parts: readonly string[]): Weights =>
  new Map([...weights].filter(([name]) => parts.includes(partOf(name))));

/** How many numbers training changes where some parts are frozen. */
export const trainedCount = (model: Model, frozen: readonly string[]): number =>
  weightSpecs(model)
    .filter(({ name, trainable }) => trainable && !frozen.includes(partOf(name)))
    .reduce((sum, { dims }) => sum + dims.reduce((product, size) => product * size, 1), 0);
