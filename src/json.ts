/** JSON from outside, with an error that names its source. */
import { FormatError } from './errors.ts';

/**
 * Parses JSON text.
 *
 * @param source what the text is, for the error, such as `runs/flowers/model.json: the model's description`.
 * @throws FormatError if the text is not JSON.
 */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${source} is not JSON.`, { cause });
  }
}
