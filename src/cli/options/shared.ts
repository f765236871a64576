/** Arguments and options that several commands have. */
import { defaultModel } from '../../catalog/shipped.ts';
import { maxMegapixels } from '../../data/budget.ts';
import { viewNames } from '../../data/presets.ts';
import { interpolations } from '../../data/resize.ts';
import { workers } from '../../data/workers.ts';
import { forms, shortcuts } from '../../model/config.ts';
import { flag, list, type OptionsOf, oneOf, text, threads, whole } from '../../options.ts';
import { key } from '../../weights/state-dict.ts';

export const modelDoc =
  'a run, a checkpoint or weights file (.safetensors, .pth, .t7), an .onnx file of this package, the name of a model that ships with it (cifar10, objects200) or of published weights, OWNER/NAME on the Hugging Face Hub, or a URL';
export const json = flag({ default: false, flag: '--json', doc: 'print one JSON document' });
export const jsonLines = flag({ default: false, flag: '--json', doc: 'print JSON lines' });
export const form = oneOf(forms, { default: 'C', flag: '--form <form>', group: 'Model', doc: 'how blocks are built' });
export const ownForm = oneOf(forms, {
  flag: '--form <form>',
  usual: 'the model’s own; C for a variant',
  group: 'Model',
  doc: 'how blocks are built',
});
export const shortcut = oneOf(shortcuts, {
  flag: '--shortcut <type>',
  usual: 'B, or D for a variant with a deep stem',
  group: 'Model',
  doc: 'a variant’s shortcut where shapes change',
});
export const classes = whole({
  from: 0,
  flag: '--classes <n>',
  usual: 'the variant’s',
  group: 'Model',
  doc: 'a variant’s number of classes; 0 leaves out the classifier',
});
export const size = whole({
  from: 1,
  flag: '--size <pixels>',
  usual: 'the model’s',
  group: 'Images',
  doc: 'height and width of the input',
});
export const seed = whole({
  from: 0,
  default: 1,
  flag: '--seed <n>',
  group: 'Model',
  doc: 'seed of a variant’s initial weights',
});
export const batch = whole({ from: 1, default: 32, flag: '--batch <n>', group: 'Machine', doc: 'images per batch' });
export const batchOfViews = 'images per batch, counting each view of an image';
export const verify = flag({
  default: false,
  flag: '--verify',
  group: 'Model',
  doc: 'verify the hash of published weights',
});
export const output = text({
  required: true,
  expected: 'a file to write',
  example: 'fast.onnx',
  flag: '-o, --output <file>',
  group: 'Output',
  doc: 'file to write',
  written: true,
});
export const report = text({
  expected: 'an HTML file to write',
  flag: '--report <file>',
  group: 'Output',
  doc: 'write an HTML report',
  written: true,
});
export const variantOrModel = text({
  required: true,
  expected: 'a variant or a model',
  example: 'resnext50_32x4d or runs/flowers',
  flag: '<model>',
  doc: `a variant such as resnext50_32x4d, or a model: ${modelDoc}`,
});
export const variantOrAny = `a variant, any ONNX file, or a model: ${modelDoc}`;
export const images = list(text({ expected: 'an image', doc: 'an image' }), {
  required: true,
  example: 'photo.jpg',
  flag: '<image...>',
  doc: 'files, folders, quoted patterns such as "**/*.jpg", URLs, or - for standard input',
});

/** The model, and the preprocessing of its images. */
export const model = {
  model: text({
    expected: 'a model',
    flag: '--model <model>',
    usual: defaultModel,
    group: 'Model',
    doc: modelDoc,
  }),
  key,
  size,
  resize: whole({
    from: 1,
    flag: '--resize <pixels>',
    usual: 'the model’s',
    group: 'Images',
    doc: 'length of an image’s shorter side before the center is cropped',
  }),
  interpolation: oneOf(interpolations, {
    flag: '--interpolation <kind>',
    usual: 'the model’s',
    group: 'Images',
    doc: 'how images are resized',
  }),
  labels: text({
    expected: 'a file of class names',
    flag: '--labels <file>',
    group: 'Model',
    doc: 'class names, if the model has none: one per line, numbered or not, or JSON',
  }),
  threads,
  workers,
  maxMegapixels,
  verify,
};

export const tta = oneOf(viewNames, {
  default: 'center',
  flag: '--tta <views>',
  group: 'Images',
  doc: 'test-time augmentation: average the logits of the center crop, of it and its mirror image, or of ten crops',
});

export type ModelOptions = OptionsOf<typeof model>;
