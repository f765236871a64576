/**
 * The `config.json` that accompanies weights on the hub, in timm's format: the architecture, and under `pretrained_cfg`
 * the preprocessing of images. timm gives the crop as a fraction of the resized image: resize = ⌊size / crop_pct⌋. If a
 * network has a different size and crop for testing than for training, those for testing are used.
 */

import * as z from 'zod';
import { checkArgument, kind } from '../arguments.ts';
import type { Preprocessing } from '../data/presets.ts';
import { interpolations } from '../data/resize.ts';
import { FormatError, UsageError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { type ResNeXtConfig, resolveConfig } from '../model/config.ts';
import { maxSide } from '../model/limits.ts';
import { stems } from '../model/stems.ts';
import { variant } from '../model/variants.ts';

/** The contents of such a file, as far as present. */
export interface HubConfig {
  /** timm's name for the architecture. */
  readonly architecture?: string;
  /** Class names in the order of the outputs. */
  readonly classes?: readonly string[];
  readonly preprocessing?: Preprocessing;
}

const size = z.tuple([z.int().min(1).max(4096), z.int().min(1).max(4096), z.int().min(1).max(4096)]);
const crop = z.number().positive().max(4);
const values = z.array(z.number()).min(1).max(3);
const names = z.array(z.string());

const images = z.object({
  input_size: size.optional(),
  test_input_size: size.nullish(),
  crop_pct: crop.nullish(),
  test_crop_pct: crop.nullish(),
  interpolation: z.enum(interpolations).catch('bilinear'),
  mean: values.optional(),
  std: z.array(z.number().positive()).min(1).max(3).optional(),
  label_names: names.nullish(),
});

const schema = z.object({
  architecture: z.string().optional(),
  label_names: names.nullish(),
  pretrained_cfg: images.optional(),
});

const textKind = kind('the text of a config.json', (value) => typeof value === 'string');

/**
 * Reads a `config.json` from the hub.
 *
 * @param source the file's name, for messages.
 * @throws FormatError if it is not JSON, or has an entry that timm would not write.
 * @example readHubConfig(await readFile('config.json', 'utf8'), 'config.json').architecture // 'resnext50_32x4d'
 */
export function readHubConfig(text: string, source = 'config.json'): HubConfig {
  checkArgument('text', text, textKind);
  const { data, error } = schema.safeParse(parseJson(text, source));
  if (!data) {
    const { path, message } = error.issues[0]!;
    if (path.length === 0) throw new FormatError(`${source} is not a JSON object.`);
    throw new FormatError(`${source}: "${path.join('.')}" cannot be read: ${message}.`);
  }
  const { architecture, pretrained_cfg: cfg } = data;
  const classes = data.label_names ?? cfg?.label_names;
  const preprocessing = cfg && preprocessingOf(cfg);
  if (preprocessing && preprocessing.resize > maxSide) {
    throw new FormatError(
      `${source} asks for images of ${preprocessing.resize} pixels before the crop, but expected at most ${maxSide}.`,
    );
  }
  return {
    ...(architecture !== undefined && { architecture }),
    ...(classes && { classes }),
    ...(preprocessing && { preprocessing }),
  };
}

function preprocessingOf(cfg: z.infer<typeof images>): Preprocessing | undefined {
  const [channels, height] = cfg.test_input_size ?? cfg.input_size ?? [];
  const { mean, std, interpolation } = cfg;
  if (height === undefined || !mean || !std || (channels !== 1 && channels !== 3)) return undefined;
  if (mean.length !== channels || std.length !== channels) return undefined;
  const part = cfg.test_crop_pct ?? cfg.crop_pct ?? 0.875;
  return { channels, size: height, resize: Math.floor(height / part), interpolation, mean, std };
}

/**
 * The `config.json` from which timm builds a network and loads its weights: a named architecture, with arguments where
 * the network differs from it.
 *
 * @throws UsageError for a network that timm cannot build. timm's have four stages, a width of 64, and large images.
 * @example writeHubConfig(config, 'resnext50_32x4d', preprocessing, ['cat', 'dog'])
 */
export function writeHubConfig(
  config: ResNeXtConfig,
  name: string,
  preprocessing: Preprocessing,
  classes: readonly string[],
): string {
  const { architecture, model_args } = timmModel(config, name);
  const { channels, size, resize, interpolation, mean, std } = preprocessing;
  const pool = Math.ceil(size / 32);
  const written = {
    architecture,
    num_classes: config.classes,
    num_features: 4 * config.width * 2 ** (config.depths.length - 1),
    global_pool: 'avg',
    ...(model_args && { model_args }),
    pretrained_cfg: {
      tag: 'resnext',
      custom_load: false,
      input_size: [channels, size, size],
      fixed_input_size: false,
      interpolation,
      crop_pct: cropOf(size, resize),
      crop_mode: 'center',
      mean,
      std,
      num_classes: config.classes,
      pool_size: [pool, pool],
      first_conv: config.stem === 'imagenet' ? 'conv1' : 'conv1.0',
      classifier: 'fc',
    },
    ...(classes.length > 0 && { label_names: classes }),
  };
  return `${JSON.stringify(written, null, 2)}\n`;
}

/** The shortest crop, in decimal digits, from which timm computes the same resize. */
function cropOf(size: number, resize: number): number {
  for (let scale = 1000; scale < 1e12; scale *= 10) {
    const whole = Math.floor((size / resize) * scale);
    for (const part of [whole / scale, (whole - 1) / scale]) {
      if (part > 0 && Math.floor(size / part) === resize) return part;
    }
  }
  return size / resize;
}

/** Architectures that timm has by name. All others are `resnext50_32x4d` with arguments. */
const known = [
  ...['resnext50_32x4d', 'resnext50d_32x4d', 'resnext101_32x4d', 'resnext101_32x8d', 'resnext101_64x4d'],
  ...['resnext101_32x16d', 'resnext101_32x32d', 'ecaresnext26t_32x4d', 'ecaresnext50t_32x4d'],
  ...['seresnext26d_32x4d', 'seresnext26t_32x4d', 'seresnext50_32x4d', 'seresnext101_32x4d'],
  ...['seresnext101_32x8d', 'seresnext101d_32x8d', 'seresnextaa101d_32x8d', 'seresnextaa201d_32x8d'],
];

function timmModel(config: ResNeXtConfig, name: string): { architecture: string; model_args?: object } {
  const isDilated = config.outputStride !== 0 && config.outputStride < 32;
  if (known.includes(name) && !isDilated) return { architecture: name };
  const { depths, cardinality, baseWidth, width, stem, stemWidth, shortcut, attention } = config;
  const knowsPool = config.stemPool === (config.antialias ? 'average' : 'max');
  const isPossible =
    depths.length === 4 && width === 64 && stems[stem].images === 'large' && (shortcut === 'B' || shortcut === 'D');
  // timm also averages before the projections of dilated stages, and dilates only by 2 and 4
  const dilates = !isDilated || (shortcut === 'B' && config.outputStride >= 8);
  if (!isPossible || !knowsPool || !dilates || config.halvedSplit || config.shortcutKernel !== 1) {
    throw new UsageError(
      `timm has no network like ${name}${isDilated ? ` with output stride ${config.outputStride}` : ''}. Export it as .onnx, or as .safetensors without --layout timm.`,
    );
  }
  const base = resolveConfig(variant('resnext50_32x4d'));
  const args = {
    ...(`${depths}` !== `${base.depths}` && { layers: depths }),
    ...(cardinality !== base.cardinality && { cardinality }),
    ...(baseWidth !== base.baseWidth && { base_width: baseWidth }),
    ...(stem !== 'imagenet' && { stem_type: stem === 'deep' ? 'deep' : 'deep_tiered', stem_width: stemWidth }),
    ...(shortcut === 'D' && { avg_down: true }),
    ...(config.antialias && { aa_layer: 'avg' }),
    ...(attention !== 'none' && { block_args: { attn_layer: attention } }),
    ...(isDilated && { output_stride: config.outputStride }),
  };
  return { architecture: 'resnext50_32x4d', model_args: args };
}
