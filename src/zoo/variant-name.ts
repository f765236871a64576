/** The variant that a config is: `variant` of the model folder, turned round. */
import { UsageError } from '../errors.ts';
import { type ResNeXtConfig, resolveConfig } from '../model/config.ts';
import { variant, variants } from '../model/variants.ts';

/** What makes an architecture; the others are how it is used, started or written. */
const architecture = [
  ...(['depths', 'cardinality', 'baseWidth', 'width', 'stem', 'stemWidth', 'stemPool', 'shortcut'] as const),
  ...(['shortcutKernel', 'attention', 'antialias', 'halvedSplit'] as const),
] satisfies (keyof ResNeXtConfig)[];

/**
 * The name of the variant that a config is of, whatever its classes, channels and input size; for a net that nobody has
 * named, a name made in the same way, with the blocks per stage where its depth alone would say something else.
 *
 * @example variantName(resolveConfig({ depths: [3, 3, 3], stem: 'cifar', cardinality: 8, baseWidth: 64 })) // 'resnext29_8x64d'
 */
export function variantName(config: ResNeXtConfig): string {
  const depth = 3 * config.depths.reduce((sum, blocks) => sum + blocks, 0) + 2;
  const known = [...variants, systematicName(config, `${depth}`)].find((name) => isVariant(name, config));
  return known ?? systematicName(config, `[${config.depths.join(',')}]`);
}

function isVariant(name: string, config: ResNeXtConfig): boolean {
  let named: ResNeXtConfig;
  try {
    named = resolveConfig(variant(name));
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
  return architecture.every((key) => JSON.stringify(named[key]) === JSON.stringify(config[key]));
}

const stemLetters: Readonly<Record<ResNeXtConfig['stem'], string>> = {
  imagenet: '',
  cifar: '',
  deep: 'd',
  tiered: 't',
};

function systematicName(config: ResNeXtConfig, depth: string): string {
  const { attention, antialias, stem, stemWidth, shortcut, cardinality, baseWidth, width } = config;
  const net = `${attention === 'none' ? '' : attention}resnext${antialias ? 'aa' : ''}${depth}${stemLetters[stem]}`;
  const usual = stemWidth === 32 && shortcut === (stemLetters[stem] === '' ? 'B' : 'D');
  const rest = usual ? '' : `_shortcut${shortcut}${stemWidth === 32 ? '' : `_stem${stemWidth}`}`;
  return `${net}_${cardinality}x${baseWidth}d${width === 64 ? '' : `_w${width}`}${rest}`;
}
