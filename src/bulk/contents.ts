/** What an output shard contains: collected in memory while the shard is processed, then encoded as files. */
import type { Features } from '../classifier/features.ts';
import { classNames } from '../classifier/labels.ts';
import type { Outcome } from '../classifier/outcomes.ts';
import { predictions } from '../classifier/predictions.ts';
import { featureBytes, featureFiles, pathLines } from '../output/features.ts';
import { type LayoutOptions, layouts } from '../output/formats.ts';
import type { ModelDescription } from '../saved/description.ts';
import { bytesOf } from '../tensor.ts';
import type { Settings } from './settings.ts';

/** An image that cannot be read, and why. */
export interface Unread {
  readonly image: string;
  readonly error: string;
}

export interface Contents {
  add(image: string, outcome: Outcome<Features>): void;
  /** The files, whose names begin with `stem`. */
  files(stem: string): Promise<(readonly [name: string, contents: Iterable<Uint8Array>])[]>;
}

/** By what the task computes. */
export const contentsOf: Readonly<
  Record<Settings['task'], (settings: Settings, description: ModelDescription) => Contents>
> = { classify: classes, features };

/** The names of an output shard's files, which begin with `stem`; for features, one for each stage. */
export function resultFiles({ task, format, stages }: Settings, stem: string): readonly string[] {
  return task === 'classify' ? [`${stem}.jsonl`] : featureFiles(`${stem}.${format}`, stages).stages;
}

/** How rows of classes are written: as `classify` does. */
export const classLayout = ({ top, threshold }: Settings): LayoutOptions => ({ top, threshold });

function classes(settings: Settings, description: ModelDescription): Contents {
  const labels = classNames(description);
  const { row } = layouts.jsonl(classLayout(settings));
  const lines: string[] = [];
  const resultOf = (image: string, outcome: Outcome<Features>) =>
    'error' in outcome
      ? { image, error: outcome.error.message }
      : { image, predictions: predictions(outcome.result.get('logits')!.data, labels, settings) };
  return {
    add: (image, outcome) => lines.push(row(resultOf(image, outcome), lines.length)),
    files: async (stem) => [[resultFiles(settings, stem)[0]!, [Buffer.from(lines.join(''))]]],
  };
}

/** Without any image that can be read, the shape of a row is not known, and there are no files. */
function features(settings: Settings): Contents {
  const paths: string[] = [];
  const rows: Features[] = [];
  return {
    add: (image, outcome) => {
      if ('error' in outcome) return;
      paths.push(image);
      rows.push(outcome.result);
    },
    files: async (stem) => {
      const [first] = rows;
      if (!first) return [];
      const names = featureFiles(`${stem}.${settings.format}`, settings.stages);
      const files: [string, Iterable<Uint8Array>][] = [];
      for (const [k, stage] of settings.stages.entries()) {
        const { dims } = first.get(stage)!;
        const bytes = () => rows.map((row) => bytesOf(row.get(stage)!));
        files.push([
          names.stages[k]!,
          await featureBytes(names.stages[k]!, { count: rows.length, dims, paths: () => paths, bytes }),
        ]);
      }
      return names.paths === undefined ? files : [...files, [names.paths, pathLines(paths)]];
    },
  };
}
