import { describe, expect, test } from 'vitest';
import { imagenetPreprocessing } from '../data/presets.ts';
import { FormatError, UsageError } from '../errors.ts';
import { resolveConfig } from '../model/config.ts';
import { variant } from '../model/variants.ts';
import { readHubConfig, writeHubConfig } from './hub-config.ts';

const [mean, std] = [imagenetPreprocessing.mean, imagenetPreprocessing.std];
const read = (images: object, rest: object = {}) =>
  readHubConfig(JSON.stringify({ architecture: 'resnext50_32x4d', ...rest, pretrained_cfg: images }), 'config.json');
const usual = { input_size: [3, 224, 224], interpolation: 'bicubic', crop_pct: 0.95, mean, std };

describe('timm’s config.json', () => {
  test.each([
    ['as trained', usual, 224, 235],
    ['as tested', { ...usual, test_input_size: [3, 288, 288], test_crop_pct: 1 }, 288, 288],
    ['with the trained crop', { ...usual, test_input_size: [3, 288, 288] }, 288, 303],
    ['of torchvision’s second weights', { ...usual, test_input_size: [3, 224, 224], test_crop_pct: 0.965 }, 224, 232],
    ['of 160 pixels', { ...usual, input_size: [3, 160, 160] }, 160, 168],
  ])('%s', (_, images, size, resize) => {
    expect(read(images)).toEqual({
      architecture: 'resnext50_32x4d',
      preprocessing: { channels: 3, size, resize, interpolation: 'bicubic', mean, std },
    });
  });

  test('may have class names in either place', () => {
    expect(read(usual, { label_names: ['cat', 'dog'] }).classes).toEqual(['cat', 'dog']);
    expect(read({ ...usual, label_names: ['cat'] }).classes).toEqual(['cat']);
  });

  test('from another library is ignored', () => {
    expect(readHubConfig('{"model_type": "resnet", "depths": [3, 4, 6, 3]}', 'config.json')).toEqual({});
  });

  test.each([
    ['{', 'config.json is not JSON.'],
    [JSON.stringify({ pretrained_cfg: { ...usual, input_size: [3, -1, 224] } }), '"pretrained_cfg.input_size.1"'],
    [JSON.stringify({ pretrained_cfg: { ...usual, crop_pct: 0 } }), '"pretrained_cfg.crop_pct" cannot be read'],
  ])('is refused: %s', (text, message) => {
    expect(() => readHubConfig(text, 'config.json')).toThrow(FormatError);
    expect(() => readHubConfig(text, 'config.json')).toThrow(message);
  });
});

describe('a config.json for timm', () => {
  const write = (name: string, classes: readonly string[] = []) =>
    JSON.parse(writeHubConfig(resolveConfig({ ...variant(name), classes: 2 }), name, imagenetPreprocessing, classes));

  test('contains what timm reads', () => {
    expect(write('seresnext26d_32x4d', ['cat', 'dog'])).toEqual({
      architecture: 'seresnext26d_32x4d',
      num_classes: 2,
      num_features: 2048,
      global_pool: 'avg',
      pretrained_cfg: {
        ...{ tag: 'resnext', custom_load: false, input_size: [3, 224, 224], fixed_input_size: false },
        ...{ interpolation: 'bilinear', crop_pct: 0.875, crop_mode: 'center', mean, std, num_classes: 2 },
        ...{ pool_size: [7, 7], first_conv: 'conv1.0', classifier: 'fc' },
      },
      label_names: ['cat', 'dog'],
    });
  });

  test('uses arguments for architectures that timm has no name for', () => {
    const { architecture, model_args } = write('resnext26_16x4d');
    expect([architecture, model_args]).toEqual(['resnext50_32x4d', { layers: [2, 2, 2, 2], cardinality: 16 }]);
    expect(write('seresnext50d_32x4d').model_args).toEqual({
      ...{ stem_type: 'deep', stem_width: 32, avg_down: true, block_args: { attn_layer: 'se' } },
    });
  });

  test.each(['resnext29_8x64d', 'legacy_seresnext50_32x4d', 'senet154'])('is refused for %s', (name) => {
    expect(() => write(name)).toThrow(UsageError);
    expect(() => write(name)).toThrow(`timm has no network like ${name}. Export it as .onnx`);
  });

  test('includes the output stride of a dilated network', () => {
    const written = (shortcut: 'B' | 'D', outputStride: number) => {
      const config = resolveConfig({ ...variant('resnext50_32x4d'), shortcut, outputStride });
      return JSON.parse(writeHubConfig(config, 'resnext50_32x4d', imagenetPreprocessing, []));
    };
    expect(written('B', 8)).toMatchObject({ architecture: 'resnext50_32x4d', model_args: { output_stride: 8 } });
    expect(written('B', 32).model_args).toBeUndefined();
    expect(() => written('B', 4)).toThrow('timm has no network like resnext50_32x4d with output stride 4.');
    expect(() => written('D', 16)).toThrow('timm has no network like resnext50_32x4d with output stride 16.');
  });

  test('every crop is read back unchanged', () => {
    const config = resolveConfig(variant('resnext50_32x4d'));
    for (let size = 32; size < 300; size += 17) {
      for (let resize = size; resize < 1.5 * size; resize += 3) {
        const preprocessing = { ...imagenetPreprocessing, size, resize };
        const text = writeHubConfig(config, 'resnext50_32x4d', preprocessing, []);
        expect(readHubConfig(text, 'config.json').preprocessing).toEqual(preprocessing);
      }
    }
  });
});
