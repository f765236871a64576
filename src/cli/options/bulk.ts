/** The options of `resnext bulk`. */

import { queueFields } from '../../bulk/connection.ts';
import { part } from '../../bulk/part.ts';
import { formats, tasks } from '../../bulk/settings.ts';
import { predictionFields } from '../../classifier/predictions.ts';
import { flag, list, type OptionsOf, oneOf, text, whole } from '../../options.ts';
import { batch, json, jsonLines, model } from './shared.ts';

const { verify: _, threads, workers, maxMegapixels, ...modelFields } = model;

const out = text({
  required: true,
  expected: 'a folder',
  example: 'results',
  flag: '--out <dir>',
  group: 'Output',
  doc: 'folder for the plan and the output shards; all machines need it under this path',
});

const attempts = whole({
  from: 1,
  default: 3,
  flag: '--attempts <n>',
  group: 'Work',
  doc: 'how often a shard that fails is tried',
});

const retryUnread = flag({
  default: false,
  flag: '--retry-unread',
  group: 'Work',
  doc: 'repeat shards with images that could not be read',
});

/** What determines a task. */
const task = {
  sources: list(text({ expected: 'a source of images', doc: 'a source' }), {
    required: true,
    example: 'photos or "shards/{000..999}.tar"',
    flag: '<source...>',
    doc: 'files, folders, quoted patterns, tar shards, zip archives or Parquet files',
  }),
  task: oneOf(tasks, {
    required: true,
    example: 'classify',
    flag: '--task <task>',
    group: 'Work',
    doc: 'what to compute',
  }),
  ...modelFields,
  imageColumn: text({
    expected: 'the name of a column',
    flag: '--image-column <name>',
    usual: 'by its name',
    group: 'Images',
    doc: 'column of Parquet files with the images',
  }),
  maxMegapixels: { ...maxMegapixels, group: 'Images' },
  shardSize: whole({
    from: 1,
    to: 1_000_000,
    default: 1000,
    flag: '--shard-size <n>',
    group: 'Work',
    doc: 'images in a shard; a tar file of up to 1 GiB is one shard',
  }),
  ...predictionFields,
  stages: list(text({ doc: 'a stage' }), {
    default: ['pooled'],
    nonEmpty: true,
    flag: '--stages <names>',
    group: 'Output',
    doc: 'stages of features, separated by commas: stem, layer1, layer2, …, pooled, logits',
  }),
  format: oneOf(formats, {
    default: 'npy',
    flag: '--format <format>',
    group: 'Output',
    doc: 'format of features; classes are in JSON lines',
  }),
  out,
};

const machine = { batch, threads, workers };

export const runOptions = { ...task, shard: part, attempts, retryUnread, ...machine, json: jsonLines };

export const submitOptions = { ...task, ...queueFields, attempts, retryUnread, json: jsonLines };

export const workOptions = {
  ...queueFields,
  untilDone: flag({
    default: false,
    flag: '--until-done',
    group: 'Work',
    doc: 'end when no shards are left, instead of waiting for more',
  }),
  metricsPort: whole({
    from: 0,
    to: 65_535,
    flag: '--metrics-port <n>',
    usual: 'none',
    group: 'Output',
    doc: 'port for metrics in the format of Prometheus; 0 takes a free one',
  }),
  metricsHost: text({
    default: '127.0.0.1',
    expected: 'an address',
    flag: '--metrics-host <address>',
    group: 'Output',
    doc: 'address for metrics',
  }),
  ...machine,
  json: jsonLines,
};

const onlyOut = text({
  expected: 'a folder',
  flag: '--out <dir>',
  usual: 'all tasks',
  group: 'Work',
  doc: 'only the shards of the task with this folder',
});

export const statusOptions = { ...queueFields, json };
export const retryOptions = { ...queueFields, out: onlyOut, json };
export const cancelOptions = { ...queueFields, out: onlyOut, json };

export const mergeOptions = {
  dir: text({
    required: true,
    expected: 'the folder of a task',
    example: 'results',
    flag: '<dir>',
    doc: 'folder of the output shards, as given to --out',
  }),
  output: text({
    required: true,
    expected: 'a file to write',
    example: 'all.jsonl',
    flag: '-o, --output <file>',
    doc: 'file of all results: .jsonl, .csv, .json or .txt for classes; .npy, .parquet or .jsonl for features',
    written: true,
  }),
  json,
};

export type TaskOptions = OptionsOf<typeof task>;
