/**
 * Joins the output shards of a task to one file, in the order of the plan: the file that `classify` or `features` would
 * write for the same images, with each of them exactly once, however often shards were processed. What is interrupted
 * continues with the next shard.
 */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { FormatError, UsageError } from '../errors.ts';
import { refusing, writeFileAtomically } from '../files.ts';
import { parseJson } from '../json.ts';
import type { Stage } from '../model/stages.ts';
import { FeatureCollector, featureFiles } from '../output/features.ts';
import { type Result, resultFormat } from '../output/formats.ts';
import type { Task } from '../output/partial.ts';
import { type FeatureRow, readFeatures } from '../output/read-features.ts';
import { FileResults } from '../output/results.ts';
import type { Tensor } from '../tensor.ts';
import { classLayout, resultFiles } from './contents.ts';
import type { Plan } from './plan.ts';
import { type ShardSummary, stemOf, summaryOf } from './shard-job.ts';

/** What was merged. */
export interface Merged {
  readonly files: readonly string[];
  /** Number of images, read or not. */
  readonly images: number;
  readonly unread: number;
}

/** What collects the rows of all shards. */
interface Collector {
  readonly notes: readonly string[];
  /** Number of images that are there already. */
  readonly done: number;
  add(shard: number, summary: ShardSummary): Promise<void>;
  save(): void;
  /** Returns the files. */
  write(): Promise<readonly string[]>;
  close(): void;
}

/**
 * Merges all output shards of a plan.
 *
 * @param file with an ending of `classify -o` or `features -o`. Images that cannot be read are also listed in a file
 *   beside it, such as `all.unread.jsonl`.
 * @throws UsageError if shards are missing.
 */
export async function merge(
  plan: Plan,
  file: string,
  onShard: (done: number) => void,
): Promise<Merged & { readonly notes: readonly string[] }> {
  const summaries = allSummaries(plan);
  const collector = await collectors[plan.settings.task](plan, file);
  try {
    let before = 0;
    for (const [shard, summary] of summaries.entries()) {
      if (before >= collector.done) {
        await collector.add(shard, summary);
        collector.save();
      }
      before += summary.images;
      onShard(shard + 1);
    }
    const written = await collector.write();
    const unread = summaries.flatMap((summary) => summary.unread);
    const list = `${file.slice(0, file.length - extname(file).length)}.unread.jsonl`;
    if (unread.length > 0) await writeFileAtomically(list, unread.map((each) => `${JSON.stringify(each)}\n`).join(''));
    const files = unread.length > 0 ? [...written, list] : written;
    return { files, images: before, unread: unread.length, notes: collector.notes };
  } finally {
    collector.close();
  }
}

function allSummaries(plan: Plan): ShardSummary[] {
  const found = Array.from({ length: plan.shards }, (_, shard) => summaryOf(plan, shard));
  const missing = found.filter((summary) => summary === undefined).length;
  if (missing === 0) return found as ShardSummary[];
  const first = plan.name(found.indexOf(undefined));
  throw new UsageError(
    `"${plan.folder}" lacks ${missing} of ${plan.shards} shards, the first of which is ${first}. Run the task again; it continues.`,
  );
}

const taskOf = ({ id }: Plan): Task => ({ plan: id });

const collectors: Readonly<Record<'classify' | 'features', (plan: Plan, file: string) => Promise<Collector>>> = {
  classify: async (plan, file) => {
    const { settings } = plan;
    const format = resultFormat({ output: file });
    const results = await FileResults.open(file, format, classLayout(settings), taskOf(plan));
    return {
      notes: results.notes,
      done: results.done,
      add: async (shard, { images }) => {
        const [path] = resultFiles(settings, stemOf(plan, shard)) as [string];
        const lines = refusing('read', path, () => readFileSync(path, 'utf8'))
          .split('\n')
          .slice(0, -1);
        checkCount(path, lines.length, images);
        for (const line of lines) results.add(parseJson(line, path) as Result);
      },
      save: () => results.save(),
      write: async () => {
        await results.end();
        return [file];
      },
      close: () => results.close(),
    };
  },
  features: async (plan, file) => {
    const { stages } = plan.settings;
    const collector = await FeatureCollector.open(file, stages, taskOf(plan));
    return {
      notes: collector.notes,
      done: collector.done,
      add: async (shard, { images, unread }) => {
        const stem = stemOf(plan, shard);
        let read = 0;
        if (images > unread.length) {
          for await (const [path, row] of featureRows(plan, stem)) {
            collector.add(path, row);
            read++;
          }
        }
        checkCount(stem, read, images - unread.length);
        for (const { image } of unread) collector.addUnread(image);
      },
      save: () => collector.save(),
      write: async () => (await collector.write())?.files ?? [],
      close: () => collector.close(),
    };
  },
};

function checkCount(path: string, found: number, expected: number): void {
  if (found === expected) return;
  throw new FormatError(
    `${path} has ${found} rows, but expected ${expected}. Delete ${path.replace(/\.jsonl$/, '')}.json and run the task again.`,
  );
}

/** The rows of a shard with all of their stages, each of which has a file. */
async function* featureRows({ settings }: Plan, stem: string): AsyncGenerator<[string, Map<Stage, Tensor<'float32'>>]> {
  const { stages, paths } = featureFiles(`${stem}.${settings.format}`, settings.stages);
  const readers = stages.map((file) => readFeatures(file, paths));
  for (;;) {
    const rows = (await Promise.all(readers.map((reader) => reader.next()))).map(
      ({ value }) => value as FeatureRow | undefined,
    );
    const [first] = rows;
    if (!first) return;
    yield [first.path, new Map(rows.map((row, k) => [settings.stages[k]!, row!.features]))];
  }
}
