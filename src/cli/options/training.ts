/** The options of training, and of what reads the folders of runs. */
import { workers } from '../../data/workers.ts';
import { flag, list, text, threads, whole } from '../../options.ts';
import { dataDoc, recipe, settings } from '../../train/options.ts';
import { json, jsonLines } from './shared.ts';

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
    doc: 'continue a run from where it stopped, or with more --epochs',
  }),
  ...recipeFlags,
  ...settingFlags,
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
    doc: 'with --find-lr, write a chart of the loss against the learning rate to an .svg file',
    written: true,
  }),
  open: flag({
    default: false,
    flag: '--open',
    group: 'Run',
    doc: 'serve the report of the run on this machine while it trains, and open it in the browser',
  }),
  show: flag({
    default: false,
    flag: '--show',
    group: 'Run',
    doc: 'draw the top-1 of each epoch in the terminal when the run ends',
  }),
  json: jsonLines,
};

export const recipeOptions = {
  recipe: text({ flag: '[recipe]', doc: 'name of a recipe, a recipe file, or a run' }),
  all: flag({ default: false, flag: '--all', doc: 'also print the options that a recipe leaves at their defaults' }),
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
  output: text({
    expected: 'an HTML file to write',
    flag: '-o, --output <file>',
    usual: 'report.html in the run',
    group: 'Output',
    doc: 'file to write',
    written: true,
  }),
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
  runs: list(text({ expected: 'a folder of a run', doc: 'a run' }), {
    required: true,
    example: 'runs/a runs/b',
    flag: '<run...>',
    doc: 'folders of runs, finished or not',
  }),
  output: text({
    expected: 'an HTML file to write',
    flag: '-o, --output <file>',
    doc: 'write an HTML page with the curves of all runs in one chart',
    written: true,
  }),
  json,
};
