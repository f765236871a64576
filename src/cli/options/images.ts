/** The options of commands that run a model on images. */
import { predictionFields } from '../../classifier/predictions.ts';
import { explainMethods } from '../../explain/methods.ts';
import { flag, list, oneOf, text } from '../../options.ts';
import { resultFormats } from '../../output/formats.ts';
import { batch, batchOfViews, images, json, model, tta } from './shared.ts';

export const classifyOptions = {
  images,
  ...model,
  batch: { ...batch, doc: batchOfViews },
  ...predictionFields,
  tta,
  show: flag({
    default: false,
    flag: '--show',
    group: 'Output',
    doc: 'draw the images in the terminal with bars for their classes; those named after a class, or in a folder of its name, are marked as right or wrong',
  }),
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
    doc: 'stage whose maps are used: stem, layer1, layer2, …; maps of earlier stages are finer, but less specific to the class',
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
