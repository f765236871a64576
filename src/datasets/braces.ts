/** Patterns of WebDataset for the names of shards: `{000..015}` for numbers, `{train,val}` for words. */
import { UsageError } from '../errors.ts';

const most = 100_000;

/** Whether a path is such a pattern. */
export const hasBraces = (path: string): boolean => /\{[^{}]*(\.\.|,)[^{}]*\}/.test(path);

/**
 * All paths that a pattern stands for, in order.
 *
 * @throws UsageError if there are too many.
 * @example expandBraces('train-{08..10}.tar') // ['train-08.tar', 'train-09.tar', 'train-10.tar']
 */
export function expandBraces(pattern: string): string[] {
  const match = /\{([^{}]*(?:\.\.|,)[^{}]*)\}/.exec(pattern);
  if (!match) return [pattern];
  const rest = expandBraces(pattern.slice(match.index + match[0].length));
  const first = choices(match[1]!, pattern);
  if (first.length * rest.length > most) throw new UsageError(`"${pattern}" stands for more than ${most} files.`);
  return first.flatMap((text) => rest.map((end) => pattern.slice(0, match.index) + text + end));
}

function choices(text: string, pattern: string): string[] {
  const range = /^(\d+)\.\.(\d+)$/.exec(text);
  if (!range) return text.split(',');
  const [from, to] = [Number(range[1]), Number(range[2])];
  if (to < from || to - from >= most) {
    throw new UsageError(`"${pattern}" has the range {${text}}, but expected one such as {000..015} that counts up.`);
  }
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i).padStart(range[1]!.length, '0'));
}
