/** Options that were typed and have no effect on the model or file at hand. */
import { isDefault, OptionError, type OptionsOf, type Table } from '../options.ts';

/** @throws OptionError for the first of the options that is given. */
export function refuseIdle<T extends Table>(
  table: T,
  options: OptionsOf<T>,
  names: readonly (keyof T & keyof OptionsOf<T> & string)[],
  because: string,
): void {
  const given = names.find((name) => !isDefault(table[name]!, options[name]));
  if (given !== undefined) {
    throw new OptionError(table, (say) => `${say(given)} has no effect here: ${because}. Remove it.`);
  }
}
