/**
 * The catalog of published weights: every publicly available ResNeXt checkpoint that this package can read, and lookup
 * by name, file or variant.
 */
import { checkArgument, name as nameKind } from '../arguments.ts';
import { didYouMean, meantName } from '../closest-name.ts';
import type { Preprocessing } from '../data/presets.ts';
import { UsageError } from '../errors.ts';
import { isResNet, suggestVariant } from '../model/variants.ts';
import { isCommercial, type Metric, type PublishedWeights } from './entry.ts';
import { otherWeights } from './published-others.ts';
import { timmWeights } from './published-timm.ts';
import { shippedModels } from './shipped.ts';

/** All published weights. */
export const publishedWeights: readonly PublishedWeights[] = [...timmWeights, ...otherWeights];

/**
 * The accuracy at the size of `preprocessing`, or undefined if it has not been published.
 *
 * @example mainMetric(findWeights('resnext50_32x4d.tv2_in1k')) // { size: 224, top1: 81.198, top5: 95.34 }
 */
export const mainMetric = ({ metrics, preprocessing }: PublishedWeights): Metric | undefined =>
  metrics.find(({ size }) => size === preprocessing.size);

/**
 * A variant's default weights, if it has any: those with the highest top-1 among weights for the variant's own classes
 * (1,000 for ImageNet, 10 for CIFAR) that may be used commercially; if there are none, the highest top-1 of all.
 */
function defaultOf(variant: string): PublishedWeights | undefined {
  const own = publishedWeights.filter((entry) => entry.variant === variant);
  const usual = own.filter(({ labels }) => labels === 'imagenet-1k' || labels === 'cifar-10');
  const commercial = usual.filter(isCommercial);
  const [first, ...rest] = commercial.length > 0 ? commercial : usual;
  const top1 = (entry: PublishedWeights) => mainMetric(entry)?.top1 ?? 0;
  return rest.reduce((best, entry) => (top1(entry) > top1(best!) ? entry : best), first);
}

/** Weights by every name they have: full names, aliases, hub repositories, and variants for their default weights. */
const byName: ReadonlyMap<string, PublishedWeights> = new Map([
  ...publishedWeights.flatMap(({ variant }) => {
    const found = defaultOf(variant);
    return found ? [[variant, found] as const] : [];
  }),
  ...publishedWeights.flatMap((entry) => {
    const repositories = entry.sources.flatMap((source) => ('repository' in source ? source.repository : []));
    return [entry.name, ...entry.aliases, ...repositories].map((name) => [name, entry] as const);
  }),
]);

const byFile: ReadonlyMap<string, PublishedWeights> = new Map(
  publishedWeights.flatMap((entry) => entry.files.map((file) => [file, entry] as const)),
);

/** Like `findWeights`, but returns undefined if there are no weights with that name. */
export const lookUpWeights = (name: string): PublishedWeights | undefined => byName.get(name);

/**
 * The published weights with a given file name, for checkpoints that were downloaded separately.
 *
 * @example weightsOfFile('checkpoints/resnext50_32x4d-1a0047aa.pth')?.name // 'resnext50_32x4d.tv2_in1k'
 */
export const weightsOfFile = (path: string): PublishedWeights | undefined => byFile.get(path.split(/[/\\]/).at(-1)!);

/** The published weights at a URL. */
export const weightsAt = (address: string): PublishedWeights | undefined =>
  publishedWeights.find(({ sources }) => sources.some((source) => 'url' in source && source.url === address));

/**
 * The published weights at a path, recognized by the file's name or by the repository in the hub's cache,
 * `…/models--timm--resnext50_32x4d.a1_in1k/snapshots/{commit}/model.safetensors`.
 */
export function weightsOfPath(path: string): PublishedWeights | undefined {
  const [, owner, name] = /models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]/.exec(path) ?? [];
  return weightsOfFile(path) ?? (owner && name ? lookUpWeights(`${owner}/${name}`) : undefined);
}

/**
 * Published weights by name: timm's (`resnext50_32x4d.tv2_in1k`), torchvision's
 * (`ResNeXt50_32X4D_Weights.IMAGENET1K_V2`), pytorchcv's (`resnext29_32x4d_cifar10`), or a variant, which stands for
 * the best of its weights that may be used commercially.
 *
 * @throws UsageError if there are no weights with that name, suggesting the closest one.
 * @example findWeights('resnext50_32x4d').license // 'BSD-3-Clause'
 */
export function findWeights(name: string): PublishedWeights {
  checkArgument('name', name, nameKind);
  const found = lookUpWeights(name);
  if (found) return found;
  throw new UsageError(`There are no published weights named "${name}".${suggestWeights(name)}`);
}

/** A sentence, preceded by a space, that suggests the closest name or how to list all names. */
export function suggestWeights(name: string): string {
  if (isResNet(name)) return suggestVariant(name.split('.')[0]!);
  return suggestOf(name, [...byName.keys()]);
}

/** The same, where the name may also be that of a model that ships with this package. */
export function suggestModel(name: string): string {
  if (isResNet(name)) return suggestWeights(name);
  return suggestOf(name, [...shippedModels.map((model) => model.name), ...byName.keys()]);
}

const suggestOf = (name: string, names: readonly string[]): string =>
  didYouMean(meantName(name, names)) || ' Run "resnext list --weights" to see all names.';

/**
 * A warning if images are preprocessed differently than when the weights were evaluated, which costs accuracy (0.27
 * points of top-1 for torchvision's 64x4d with a resize of 256 instead of 232), or undefined if there is no difference.
 *
 * @example preprocessingWarning(findWeights('resnext101_64x4d'), imagenetPreprocessing)
 */
export function preprocessingWarning(entry: PublishedWeights, preprocessing: Preprocessing): string | undefined {
  const views = entry.larger ? [entry.preprocessing, entry.larger] : [entry.preprocessing];
  const differences = views.map((view) => differencesFrom(view, preprocessing));
  if (differences.some((found) => found.length === 0)) return undefined;
  const least = differences.reduce((a, b) => (b.length < a.length ? b : a));
  const expected = views[differences.indexOf(least)]!;
  return `${entry.name} was evaluated with ${describe(expected)}, but images are preprocessed with ${describe(preprocessing)}. To avoid a loss of accuracy, use the same ${least.join(' and ')}.`;
}

function differencesFrom(expected: Preprocessing, actual: Preprocessing): string[] {
  const same = (a: readonly number[], b: readonly number[]) =>
    a.length === b.length && a.every((value, c) => Math.abs(value - b[c]!) < 1e-3);
  return [
    ...(expected.size === actual.size ? [] : ['size']),
    ...(expected.resize === actual.resize ? [] : ['resize']),
    ...(expected.interpolation === actual.interpolation ? [] : ['interpolation']),
    ...(same(expected.mean, actual.mean) && same(expected.std, actual.std) ? [] : ['normalization']),
  ];
}

const describe = ({ size, resize, interpolation }: Preprocessing): string =>
  `a resize to ${resize} (${interpolation}) and a crop of ${size}`;
