/**
 * Published weights as objects: every checkpoint of a ResNeXt that the world can download and this package can read, what
 * is known of it, and how to find one by name, by file or by variant.
 */
import type { Preprocessing } from '../data/presets.ts';
import { UsageError } from '../errors.ts';
import { editDistance } from '../model/variants.ts';
import { isCommercial, type Metric, type PublishedWeights } from './entry.ts';
import { otherWeights } from './published-others.ts';
import { timmWeights } from './published-timm.ts';

/** All published weights. */
export const publishedWeights: readonly PublishedWeights[] = [...timmWeights, ...otherWeights];

/**
 * The metric of everyday use: at the size of `preprocessing`. Undefined where nobody has published one.
 *
 * @example mainMetric(findWeights('resnext50_32x4d.tv2_in1k')) // { size: 224, top1: 81.198, top5: 95.34 }
 */
export const mainMetric = ({ metrics, preprocessing }: PublishedWeights): Metric | undefined =>
  metrics.find(({ size }) => size === preprocessing.size);

/**
 * A variant's default, if it has weights: the highest top-1 of those that may be used commercially, for the net as the
 * variant has it (1,000 classes of ImageNet, 10 of CIFAR); failing these, the highest top-1 of all.
 */
function defaultOf(variant: string): PublishedWeights | undefined {
  const own = publishedWeights.filter((entry) => entry.variant === variant);
  const usual = own.filter(({ labels }) => labels === 'imagenet-1k' || labels === 'cifar-10');
  const commercial = usual.filter(isCommercial);
  const [first, ...rest] = commercial.length > 0 ? commercial : usual;
  const top1 = (entry: PublishedWeights) => mainMetric(entry)?.top1 ?? 0;
  return rest.reduce((best, entry) => (top1(entry) > top1(best!) ? entry : best), first);
}

/** Every name that finds weights, with the weights: full names, aliases, hub repositories, and variants for defaults. */
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

/** The weights of a name, as `findWeights` has them; undefined where there are none. */
export const lookUpWeights = (name: string): PublishedWeights | undefined => byName.get(name);

/**
 * The weights of a file, told by its name, for checkpoints that somebody has downloaded already.
 *
 * @example weightsOfFile('checkpoints/resnext50_32x4d-1a0047aa.pth')?.name // 'resnext50_32x4d.tv2_in1k'
 */
export const weightsOfFile = (path: string): PublishedWeights | undefined => byFile.get(path.split(/[/\\]/).at(-1)!);

/** The published weights that lie at an address. */
export const weightsAt = (address: string): PublishedWeights | undefined =>
  publishedWeights.find(({ sources }) => sources.some((source) => 'url' in source && source.url === address));

/**
 * The weights of a path: told by the file's name, or by the repository in the hub's cache,
 * `…/models--timm--resnext50_32x4d.a1_in1k/snapshots/{commit}/model.safetensors`.
 */
export function weightsOfPath(path: string): PublishedWeights | undefined {
  const [, owner, name] = /models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]/.exec(path) ?? [];
  return weightsOfFile(path) ?? (owner && name ? lookUpWeights(`${owner}/${name}`) : undefined);
}

/**
 * Published weights by name: timm's (`resnext50_32x4d.tv2_in1k`), torchvision's
 * (`ResNeXt50_32X4D_Weights.IMAGENET1K_V2`), pytorchcv's (`resnext29_32x4d_cifar10`), or a variant, which means the best
 * of its weights that may be used commercially.
 *
 * @throws UsageError when there are none of that name, with the nearest there are.
 * @example findWeights('resnext50_32x4d').license // 'BSD-3-Clause'
 */
export function findWeights(name: string): PublishedWeights {
  const found = lookUpWeights(name);
  if (found) return found;
  throw new UsageError(`"${name}" is no published weights.${suggestWeights(name)}`);
}

/** A sentence, after a space, with the nearest name that there is; or where the names are listed. */
export function suggestWeights(name: string): string {
  const distances = [...byName.keys()].map((known) => ({ known, distance: editDistance(name, known) }));
  const best = distances.reduce((a, b) => (b.distance < a.distance ? b : a));
  const near = best.distance <= Math.max(2, name.length / 3);
  return near ? ` Did you mean ${best.known}?` : ' resnext list --weights has all names.';
}

/**
 * One sentence when images are made ready in another way than the weights were evaluated with, which costs accuracy:
 * 0.27 points of top-1 for torchvision's 64x4d with a resize of 256 in place of 232. Undefined when all is well.
 *
 * @example preprocessingWarning(findWeights('resnext101_64x4d'), imagenetPreprocessing)
 */
export function preprocessingWarning(entry: PublishedWeights, preprocessing: Preprocessing): string | undefined {
  const views = entry.larger ? [entry.preprocessing, entry.larger] : [entry.preprocessing];
  const differences = views.map((view) => differencesFrom(view, preprocessing));
  if (differences.some((found) => found.length === 0)) return undefined;
  const least = differences.reduce((a, b) => (b.length < a.length ? b : a));
  const expected = views[differences.indexOf(least)]!;
  return `${entry.name} was evaluated with ${describe(expected)}, but images get ${describe(preprocessing)}, which costs accuracy: ${least.join(' and ')} should be as evaluated.`;
}

function differencesFrom(expected: Preprocessing, actual: Preprocessing): string[] {
  const same = (a: readonly number[], b: readonly number[]) =>
    a.length === b.length && a.every((value, c) => Math.abs(value - b[c]!) < 1e-3);
  return [
    ...(expected.size === actual.size ? [] : ['the size']),
    ...(expected.resize === actual.resize ? [] : ['the resize']),
    ...(expected.interpolation === actual.interpolation ? [] : ['the interpolation']),
    ...(same(expected.mean, actual.mean) && same(expected.std, actual.std) ? [] : ['the normalization']),
  ];
}

const describe = ({ size, resize, interpolation }: Preprocessing): string =>
  `the shorter side at ${resize} (${interpolation}) and a crop of ${size}`;
