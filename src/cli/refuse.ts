/** Refuses typed options that have no effect on this model or file. */
import { isDefault, OptionError, type OptionsOf, type Table } from '../options.ts';

/** Why a key in a checkpoint has no effect. */
export const newNetwork = 'a variant is a new network';
export const oneNetwork = 'an ONNX file has one network';

/** @throws OptionError if one of these options is given. */
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
