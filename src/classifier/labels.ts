/** The names of a model's classes. */
import { UsageError } from '../errors.ts';
import { OptionError, text } from '../options.ts';
import type { ModelDescription } from '../saved/description.ts';

/**
 * The names of all classes; a class without a name gets its number.
 *
 * @throws UsageError if the model has none, or a single output.
 */
export function classNames({ classes, config, variant }: ModelDescription): string[] {
  if (config.classes === 0) throw new UsageError(`The model (${variant}) has no classes. Use features() instead.`);
  if (config.classes > 1) return Array.from({ length: config.classes }, (_, k) => classes[k] ?? `class ${k}`);
  throw new UsageError(
    `The model (${variant}) has one output, but classes need two or more. Its value is features() of the stage "logits".`,
  );
}

const labelsField = { labels: text({ flag: '--labels <file>', doc: 'class names' }) };

/**
 * A description with other class names.
 *
 * @throws OptionError unless there is one name for each class.
 */
export function labeled(description: ModelDescription, labels: readonly string[] | undefined): ModelDescription {
  const { classes } = description.config;
  if (labels === undefined) return description;
  if (labels.length === classes) return { ...description, classes: labels };
  const [given, expected] = [counted(labels.length, 'name', 'names'), counted(classes, 'class', 'classes')];
  throw new OptionError(
    labelsField,
    (say) => `${say('labels')} has ${given}, but the model has ${expected}. Give one name per class.`,
  );
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;
