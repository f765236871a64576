/**
 * Labels as files of other programs have them: numbers of classes, with or without names for them, or names. Their distinct
 * values are few, so a list keeps numbers of values, and classes are made of them in the end.
 */
import { UsageError } from '../errors.ts';

/** Distinct labels. */
export class LabelValues {
  readonly #values = new Map<string | number, number>();

  /** The number of a value, which is new the first time. */
  add(value: string | number): number {
    const known = this.#values.get(value) ?? this.#values.size;
    this.#values.set(value, known);
    return known;
  }

  /**
   * The classes, and the label of each value by its number. Numbers are labels already, named by `names` or by themselves;
   * names are ordered as class folders are.
   *
   * @param names names of the classes 0, 1, …, if they are known.
   * @param place where the labels are, for messages.
   * @throws UsageError if numbers are not those of classes, or there are both numbers and names.
   */
  classes(
    names: readonly string[] | undefined,
    place: string,
  ): { readonly classes: readonly string[]; readonly labels: readonly number[] } {
    const values = [...this.#values.keys()];
    const numbers = values.filter((value) => typeof value === 'number');
    if (numbers.length === 0) return namedClasses(values as string[], names, place);
    if (numbers.length < values.length) {
      const name = values.find((value) => typeof value === 'string');
      throw new UsageError(
        `The labels in ${place} are both numbers, such as ${numbers[0]}, and names, such as "${name}". Use either.`,
      );
    }
    const largest = numbers.reduce((a, b) => Math.max(a, b));
    const wrong = numbers.find((number) => !Number.isInteger(number) || number < 0);
    const count = names?.length ?? largest + 1;
    if (wrong !== undefined || count > mostClasses) {
      throw new UsageError(
        `The labels in ${place} include ${wrong ?? largest}, but expected numbers of classes from 0 on.`,
      );
    }
    if (largest >= count)
      throw new UsageError(`The labels in ${place} include ${largest}, but there are names for ${count} classes only.`);
    return { classes: names ?? Array.from({ length: count }, (_, label) => String(label)), labels: numbers };
  }
}

const mostClasses = 1_000_000;

function namedClasses(values: readonly string[], names: readonly string[] | undefined, place: string) {
  const normal = values.map((value) => value.normalize());
  const classes = names ?? [...new Set(normal)].sort();
  const byName = new Map(classes.map((name, label) => [name, label]));
  const labels = normal.map((value) => {
    const label = byName.get(value);
    if (label === undefined)
      throw new UsageError(
        `The class "${value}" in ${place} is not one of the ${classes.length} classes named for it.`,
      );
    return label;
  });
  return { classes, labels };
}
