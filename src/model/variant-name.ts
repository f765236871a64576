/** The name of a config's variant: the inverse of `variant`. */

import { checkArgument } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { configKind, type ResNeXtConfig, resolveConfig } from './config.ts';
import { stems } from './stems.ts';
import { variant, variants } from './variants.ts';

/** The properties that define an architecture; the others concern its use, initialization or form. */
const architecture = [
  ...(['depths', 'cardinality', 'baseWidth', 'width', 'stem', 'stemWidth', 'stemPool', 'shortcut'] as const),
  ...(['shortcutKernel', 'attention', 'antialias', 'halvedSplit'] as const),
] satisfies (keyof ResNeXtConfig)[];
const exceptPool = architecture.filter((key) => key !== 'stemPool');

/**
 * The name of a config's variant, regardless of classes, channels and input size. A network that only differs from a
 * variant in the stem's pooling has the same name; one without a standard name gets a systematic one, with its blocks
 * per stage.
 *
 * @example variantName(resolveConfig({ depths: [3, 3, 3], stem: 'cifar', cardinality: 8, baseWidth: 64 })) // 'resnext29_8x64d'
 */
export function variantName(config: ResNeXtConfig): string {
  checkArgument('config', config, configKind);
  const depth = 3 * config.depths.reduce((sum, blocks) => sum + blocks, 0) + 2;
  return (
    [...variants, systematicName(config, `${depth}`)].find((name) => isVariant(name, config, architecture)) ??
    variants.find((name) => isVariant(name, config, exceptPool)) ??
    systematicName(config, `[${config.depths.join(',')}]`)
  );
}

function isVariant(name: string, config: ResNeXtConfig, keys: readonly (keyof ResNeXtConfig)[]): boolean {
  let named: ResNeXtConfig;
  try {
    named = resolveConfig(variant(name));
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
  return keys.every((key) => JSON.stringify(named[key]) === JSON.stringify(config[key]));
}

function systematicName(config: ResNeXtConfig, depth: string): string {
  const { attention, antialias, stem, stemPool, depths, cardinality, baseWidth, width } = config;
  const family = `${stemPool === 'max-ceil' ? 'legacy_' : ''}${attention === 'none' ? '' : attention}resnext`;
  const size = `${cardinality}x${baseWidth}d${width === 64 ? '' : `_w${width}`}`;
  const impliesSmall = depths.length === 3;
  const isSmall = stem === 'cifar';
  const suffix = isSmall === impliesSmall ? '' : isSmall ? '_cifar' : '_imagenet';
  return `${family}${antialias ? 'aa' : ''}${depth}${stems[stem].mark}_${size}${suffix}`;
}
