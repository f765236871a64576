/** The options of commands that list, describe, write and measure models. */
import { defaultModel } from '../../catalog/shipped.ts';
import { layoutNames } from '../../checkpoints/write.ts';
import { themes } from '../../draw/theme.ts';
import { flag, list, oneOf, real, text, threads, whole } from '../../options.ts';
import { key } from '../../weights/state-dict.ts';
import { exportFormats } from '../formats.ts';
import {
  classes,
  form,
  json,
  jsonLines,
  modelDoc,
  output,
  ownForm,
  report,
  seed,
  shortcut,
  size,
  variantOrAny,
  variantOrModel,
} from './shared.ts';

export const listOptions = {
  pattern: text({ flag: '[pattern]', doc: 'part of a name' }),
  weights: flag({
    default: false,
    flag: '--weights',
    doc: 'list models that ship with this package and published weights instead of variants',
  }),
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

export const exportOptions = {
  model: variantOrModel,
  key,
  output: text({
    required: true,
    expected: 'a file or folder to write',
    example: 'model.onnx',
    flag: '-o, --output <target>',
    group: 'Output',
    doc: 'an .onnx or .safetensors file, or a folder for transformers.js or, with --format resnext, for this package',
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
  dtype: oneOf(['float32', 'float16'], {
    default: 'float32',
    flag: '--dtype <type>',
    group: 'Output',
    doc: 'type of the weights in a .safetensors file or a folder for this package; float16 takes half of the space',
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
    expected: 'a variant or a model',
    flag: '[model]',
    usual: defaultModel,
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
