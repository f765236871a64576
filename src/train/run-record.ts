/**
 * How a run was made, for people and programs that read its folder: `run.json`, and without the sessions `training` in
 * `model.json`. Nothing of it is needed to resume the run.
 */
import { existsSync } from 'node:fs';
import { arch, release, totalmem, type } from 'node:os';
import { resolve } from 'node:path';
import * as z from 'zod';
import { thisMachine } from '#platform';
import { isDatasetName } from '../hub/pull-dataset.ts';
import type { TrainingRecord } from '../saved/description.ts';
import { version } from '../version.ts';
import type { StartEvent } from './events.ts';
import type { TrainOptions } from './options.ts';
import type { RunImages } from './run-images.ts';

const states = ['running', 'interrupted', 'finished', 'diverged', 'failed'] as const;

/** `running` also remains where the process was killed. */
export type RunState = (typeof states)[number];

const sessionSchema = z.looseObject({ started: z.string() });
const recordSchema = z.looseObject({
  state: z.enum(states),
  sessions: z.array(sessionSchema),
  data: z.looseObject({ folder: z.string(), trainDir: z.string().optional() }).optional().catch(undefined),
});

/** The time from a start or a resumption to the next, all on one machine. */
type Session = z.infer<typeof sessionSchema>;

export interface RunRecord extends TrainingRecord {
  readonly state: RunState;
  readonly sessions: readonly Session[];
}

/** A path that does not depend on the working folder. Datasets on the hub keep their names. */
export const absolute = (path: string): string => (isDatasetName(path) && !existsSync(path) ? path : resolve(path));

/** What is read of an earlier record: a file without it, as people may have edited it, is no error. */
export type FormerRecord = z.infer<typeof recordSchema>;

export function readRecord(text: string): FormerRecord | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export const writeRecord = (record: RunRecord): string => `${JSON.stringify(record, null, 2)}\n`;

/** @param former the record of the sessions before this one, if any. */
export async function recordOf(
  options: TrainOptions,
  images: RunImages,
  start: StartEvent,
  former: FormerRecord | undefined,
): Promise<RunRecord> {
  const { variant, parameters, trained, macs, lowering, epoch, step } = start;
  const { cpu, cores, runtime } = await thisMachine();
  const data = absolute(options.data);
  const versions = { resnext: version(), node: process.versions.node, onnxruntime: runtime };
  const machine = { cpu, cores, memory: totalmem(), system: `${type()} ${release()} ${arch()}` };
  const { threads, providers } = options;
  const session = {
    started: new Date().toISOString(),
    epoch: epoch + 1,
    step,
    threads,
    providers,
    lowering,
    versions,
    machine,
  };
  return {
    state: 'running',
    options: { ...options, data, out: resolve(options.out) },
    data: countsOf(images, data, options.fold),
    network: { variant, parameters, trained, macs },
    versions,
    machine,
    sessions: [...(former?.sessions ?? []), session],
  };
}

/** What `model.json` has of it. */
export const trainingOf = ({ options, data, network, versions, machine }: RunRecord): TrainingRecord => ({
  options,
  data,
  network,
  versions,
  machine,
});

function countsOf({ folder: { train, validation, trainDir }, split }: RunImages, folder: string, fold: string) {
  const classes = split.classes.map(({ name, train, validation }) => ({
    name,
    train: train.length,
    validation: validation.length,
  }));
  const held = fold === '' ? 'held out' : `fold ${fold}`;
  const source = split.validationFolder ?? `${held} of the training images`;
  const place = absolute(trainDir);
  return {
    folder,
    trainDir: place,
    train: train.length,
    validation: validation.length,
    validationFrom: source,
    classes,
  };
}
