/**
 * The arguments and options of each command, as tables. Entries shared by several commands come first. The file is longer
 * than others because it is all of the command line's vocabulary.
 */

import { layoutNames } from '../checkpoints/write.ts';
import { predictionFields } from '../classifier/predictions.ts';
import { maxMegapixels } from '../data/budget.ts';
import { viewNames } from '../data/presets.ts';
import { interpolations } from '../data/resize.ts';
import { workers } from '../data/workers.ts';
import { themes } from '../draw/theme.ts';
import { explainMethods } from '../explain/methods.ts';
import { forms, shortcuts } from '../model/config.ts';
import { flag, list, maxThreads, type OptionsOf, oneOf, real, text, whole } from '../options.ts';
import { resultFormats } from '../output/formats.ts';
import { dataDoc, recipe, settings } from '../train/options.ts';
import { key } from '../weights/state-dict.ts';
import { exportFormats } from './formats.ts';

const modelDoc =
  'a run, a checkpoint or weights file (.safetensors, .pth, .t7), an .onnx file of this package, the name of published weights, OWNER/NAME on the Hugging Face Hub, or a URL';
const json = flag({ default: false, flag: '--json', doc: 'print one JSON document' });
const jsonLines = flag({ default: false, flag: '--json', doc: 'print JSON lines' });
const form = oneOf(forms, { default: 'C', flag: '--form <form>', group: 'Model', doc: 'how blocks are built' });
const ownForm = oneOf(forms, {
  flag: '--form <form>',
  usual: 'the model’s own; C for a variant',
  group: 'Model',
  doc: 'how blocks are built',
});
const shortcut = oneOf(shortcuts, {
  flag: '--shortcut <type>',
  usual: 'B, or D for a variant with a deep stem',
  group: 'Model',
  doc: 'a variant’s shortcut where shapes change',
});
const classes = whole({
  from: 0,
  flag: '--classes <n>',
  usual: 'the variant’s',
  group: 'Model',
  doc: 'a variant’s number of classes; 0 leaves out the classifier',
});
const size = whole({
  from: 1,
  flag: '--size <pixels>',
  usual: 'the model’s',
  group: 'Images',
  doc: 'height and width of the input',
});
const seed = whole({
  from: 0,
  default: 1,
  flag: '--seed <n>',
  group: 'Model',
  doc: 'seed of a variant’s initial weights',
});
const threads = whole({
  from: 1,
  to: maxThreads,
  threads: true,
  flag: '--threads <n>',
  usual: 'all cores',
  group: 'Machine',
  doc: 'threads that compute',
});
const batch = whole({ from: 1, default: 32, flag: '--batch <n>', group: 'Machine', doc: 'images per batch' });
const batchOfViews = 'images per batch, counting each view of an image';
const verify = flag({ default: false, flag: '--verify', group: 'Model', doc: 'verify the hash of published weights' });
const output = text({
  required: true,
  expected: 'a file to write',
  example: 'fast.onnx',
  flag: '-o, --output <file>',
  group: 'Output',
  doc: 'file to write',
  written: true,
});
const report = text({
  expected: 'an HTML file to write',
  flag: '--report <file>',
  group: 'Output',
  doc: 'write an HTML report',
  written: true,
});
const variantOrModel = text({
  required: true,
  expected: 'a variant or a model',
  example: 'resnext50_32x4d or runs/flowers',
  flag: '<model>',
  doc: `a variant such as resnext50_32x4d, or a model: ${modelDoc}`,
});
const variantOrAny = `a variant, any ONNX file, or a model: ${modelDoc}`;
const images = list(text({ expected: 'an image', doc: 'an image' }), {
  required: true,
  example: 'photo.jpg',
  flag: '<image...>',
  doc: 'files, folders, quoted patterns such as "**/*.jpg", URLs, or - for standard input',
});

/** The model, and the preprocessing of its images. */
const model = {
  model: text({
    required: true,
    expected: 'a model',
    example: 'runs/flowers or resnext50_32x4d.tv2_in1k',
    flag: '--model <model>',
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

const tta = oneOf(viewNames, {
  default: 'center',
  flag: '--tta <views>',
  group: 'Images',
  doc: 'test-time augmentation: average the logits of the center crop, of it and its mirror image, or of ten crops',
});

export const listOptions = {
  pattern: text({ flag: '[pattern]', doc: 'part of a name' }),
  weights: flag({ default: false, flag: '--weights', doc: 'list published weights instead of variants' }),
  json,
};

export const pullOptions = {
  names: list(text({ expected: 'a model', doc: 'a model' }), {
    required: true,
    example: 'resnext50_32x4d.tv2_in1k',
    flag: '<name...>',
    doc: 'names of published weights, OWNER/NAME on the Hugging Face Hub, or URLs',
  }),
  offline: flag({ default: false, flag: '--offline', doc: 'use only files that are already in a cache' }),
  json: jsonLines,
};

export const summaryOptions = { model: variantOrModel, key, form, shortcut, classes, size, json };

// required for a new run, but not to resume one
const { data: _, ...recipeFlags } = recipe;
const { out: __, ...settingFlags } = settings;

export const trainFlags = {
  data: text({
    expected: 'a folder of images',
    flag: '[dir]',
    doc: dataDoc,
  }),
  out: text({
    expected: 'a folder for the results',
    flag: '--out <run>',
    group: 'Run',
    doc: 'folder for the results; required for a new run',
  }),
  resume: text({
    expected: 'the folder of a run',
    flag: '--resume <run>',
    group: 'Run',
    doc: 'continue an interrupted run',
  }),
  findLearningRate: flag({
    default: false,
    flag: '--find-lr, --find-learning-rate',
    group: 'Optimization',
    doc: 'try growing learning rates for 100 steps, suggest one, and train no model',
  }),
  plot: text({
    expected: 'an SVG file to write',
    flag: '--plot <file>',
    group: 'Optimization',
    doc: 'with --find-lr, draw the loss by learning rate into an .svg file',
    written: true,
  }),
  ...recipeFlags,
  ...settingFlags,
  open: flag({
    default: false,
    flag: '--open',
    group: 'Run',
    doc: 'serve the report of the run on this machine while it trains, and open it in the browser',
  }),
  json: jsonLines,
};

export const recipeOptions = {
  recipe: text({ flag: '[recipe]', doc: 'name of a recipe, or a file with one' }),
  json,
};

export const evaluateOptions = {
  dir: text({
    required: true,
    expected: 'a folder of images',
    example: 'flowers',
    flag: '<dir>',
    doc: 'folder with one subfolder per class, or one that contains val/; or another dataset',
  }),
  imageColumn: recipe.imageColumn,
  labelColumn: recipe.labelColumn,
  ...model,
  batch: whole({ from: 1, default: 64, flag: '--batch <n>', group: 'Machine', doc: batchOfViews }),
  tta,
  strict: settings.strict,
  report: text({
    expected: 'an HTML file to write',
    flag: '--report <file>',
    group: 'Output',
    doc: 'write an HTML report: confusion matrix, classes, calibration, misclassified images',
    written: true,
  }),
  output: text({
    expected: 'a file to write',
    flag: '-o, --output <file>',
    group: 'Output',
    doc: 'write the prediction for each image to a .csv or .jsonl file',
    written: true,
  }),
  json,
};

export const reportOptions = {
  run: text({
    required: true,
    expected: 'the folder of a run',
    example: 'runs/flowers',
    flag: '<run>',
    doc: 'folder of a run, finished or not',
  }),
  output: { ...output, expected: 'an HTML file to write', example: 'report.html' },
  evaluate: flag({
    default: true,
    flag: '--no-evaluate',
    doc: 'leave out the evaluation of the best model on the validation images',
  }),
  data: text({
    expected: 'a dataset',
    flag: '--data <dir>',
    usual: 'where it was',
    doc: 'where the images of the run are now',
  }),
  batch: whole({ from: 1, default: 64, flag: '--batch <n>', group: 'Machine', doc: 'images per batch' }),
  threads,
  workers,
  json,
};

export const compareOptions = {
  runs: list(text({ expected: 'the folder of a run', doc: 'a run' }), {
    required: true,
    example: 'runs/a runs/b',
    flag: '<run...>',
    doc: 'folders of runs, finished or not',
  }),
  output: text({
    expected: 'an HTML file to write',
    flag: '-o, --output <file>',
    doc: 'write an HTML page with the curves of the runs over each other',
    written: true,
  }),
  json,
};

export const classifyOptions = {
  images,
  ...model,
  batch: { ...batch, doc: batchOfViews },
  ...predictionFields,
  tta,
  format: oneOf(resultFormats, {
    flag: '--format <format>',
    usual: 'by the extension of the output file, else text',
    group: 'Output',
    doc: 'format of the results',
  }),
  output: text({
    expected: 'a file to write',
    flag: '-o, --output <file>',
    group: 'Output',
    doc: 'write the results to a file',
    written: true,
  }),
  json: flag({ default: false, flag: '--json', group: 'Output', doc: 'short for --format json' }),
};

export const featuresOptions = {
  images,
  ...model,
  batch,
  stages: list(text({ doc: 'a stage' }), {
    default: ['pooled'],
    flag: '--stages <names>',
    group: 'Output',
    doc: 'stages to extract, separated by commas: stem, layer1, layer2, …, pooled, logits; one file for each',
  }),
  output: text({
    required: true,
    expected: 'a file to write',
    example: 'features.npy',
    flag: '-o, --output <file>',
    group: 'Output',
    doc: '.npy (with file names in .paths.txt), .parquet or .jsonl',
    written: true,
  }),
  json,
};

export const explainOptions = {
  images,
  ...model,
  class: text({
    expected: 'the name of a class',
    flag: '--class <name>',
    usual: 'the most likely one',
    group: 'Output',
    doc: 'class to explain',
  }),
  stage: text({
    expected: 'a stage',
    flag: '--stage <name>',
    usual: 'the last',
    group: 'Output',
    doc: 'stage whose maps are weighed: stem, layer1, layer2, …; earlier ones are finer, and tell less of a class',
  }),
  method: oneOf(explainMethods, {
    default: 'grad-cam',
    flag: '--method <name>',
    group: 'Output',
    doc: 'Grad-CAM, or class-activation maps of the last stage, whose numbers may be negative',
  }),
  output: text({
    required: true,
    expected: 'a file or folder to write',
    example: 'heat.png',
    flag: '-o, --output <target>',
    group: 'Output',
    doc: 'a .png, .jpg or .webp file; a folder for several images; or .npy for the numbers of the maps',
  }),
  json,
};

export const exportOptions = {
  model: variantOrModel,
  key,
  output: text({
    required: true,
    expected: 'a file or folder to write',
    example: 'model.onnx',
    flag: '-o, --output <target>',
    group: 'Output',
    doc: 'an .onnx or .safetensors file, or a folder for transformers.js',
  }),
  format: oneOf(exportFormats, {
    flag: '--format <format>',
    usual: 'by the extension of the output',
    group: 'Output',
    doc: 'what to write',
  }),
  input: oneOf(['float', 'bytes'], {
    flag: '--input <kind>',
    usual: 'float',
    group: 'Output',
    doc: 'input of an ONNX file, normalized floats [N, C, H, W] or pixels [N, H, W, C]',
  }),
  softmax: flag({
    default: false,
    flag: '--softmax',
    group: 'Output',
    doc: 'make an ONNX file return probabilities instead of logits',
  }),
  size: whole({
    from: 1,
    flag: '--size <pixels>',
    usual: 'the model’s',
    group: 'Model',
    doc: 'height and width of the input',
  }),
  dynamicSize: flag({
    default: false,
    flag: '--dynamic-size',
    group: 'Output',
    doc: 'allow any height and width for the ONNX file’s input',
  }),
  layout: oneOf(layoutNames, {
    flag: '--layout <name>',
    usual: 'torchvision',
    group: 'Output',
    doc: 'naming scheme of a .safetensors file',
  }),
  form: ownForm,
  shortcut,
  classes,
  seed,
  json,
};

export const verifyOptions = {
  model: text({
    required: true,
    expected: 'a variant or a model',
    example: 'resnext50_32x4d or model.onnx',
    flag: '<model>',
    doc: variantOrAny,
  }),
  key,
  threads,
  seed,
  report,
  json,
};

export const convertOptions = {
  input: text({
    required: true,
    expected: 'a model',
    example: 'runs/flowers',
    flag: '<input>',
    doc: `any ONNX file, or a model: ${modelDoc}`,
  }),
  output: text({
    required: true,
    expected: 'a file to write',
    example: 'model.onnx',
    flag: '<output>',
    doc: 'an .onnx or .safetensors file',
    written: true,
  }),
  key,
  form,
  json,
};

export const optimizeOptions = {
  input: text({
    required: true,
    expected: 'an ONNX file',
    example: 'model.onnx',
    flag: '<input>',
    doc: 'an ONNX file from any program',
  }),
  output,
  tolerance: real({
    from: 0,
    usual: '1e-4, or 1e-2 in float16',
    flag: '--tolerance <difference>',
    doc: 'largest accepted relative difference of the outputs',
  }),
  json,
};

export const drawOptions = {
  model: text({
    expected: 'a variant or a model',
    flag: '[model]',
    doc: variantOrAny,
  }),
  block: text({ flag: '--block <name>', usual: 'the first', doc: 'block to draw, such as layer2.0' }),
  form: ownForm,
  details: flag({ default: false, flag: '--details', doc: 'include normalization, activations and sizes' }),
  grouped: list(whole({ from: 1, doc: 'a number of channels or groups' }), {
    flag: '--grouped <in,out,groups>',
    doc: 'draw a grouped convolution channel by channel instead of a block',
  }),
  theme: oneOf(themes, { default: 'auto', flag: '--theme <theme>', doc: 'colors; auto follows the reader’s setting' }),
  output: text({
    expected: 'a file to write',
    flag: '-o, --output <file>',
    usual: 'standard output',
    doc: 'file to write, .svg or .png',
    written: true,
  }),
};

export const benchOptions = {
  model: text({
    required: true,
    expected: 'a variant or a model',
    example: 'resnext50_32x4d',
    flag: '<model>',
    doc: variantOrAny,
  }),
  key,
  batch: whole({ from: 1, default: 1, flag: '--batch <n>', doc: 'images per batch' }),
  threads,
  runs: whole({ from: 1, default: 20, flag: '--runs <n>', doc: 'number of timed runs' }),
  size: whole({
    from: 1,
    flag: '--size <pixels>',
    usual: 'the variant’s',
    doc: 'height and width of a variant’s input',
  }),
  tune: flag({
    default: false,
    flag: '--tune',
    doc: 'time the alternatives and remember the fastest for this machine',
  }),
  json,
};

export type ModelOptions = OptionsOf<typeof model>;
