/** JSON from outside. */
import { FormatError } from './errors.ts';

/**
 * The value of a JSON text.
 *
 * @param source names the text in the error, such as `runs/flowers/model.json: the model's description`.
 * @throws FormatError when the text is not JSON.
 */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${source} is not JSON.`, { cause });
  }
}
