/** The name that someone who mistyped one may have meant, of models, options and files alike. */

/** Longer than any name that could be meant. */
const maxLength = 100;

/**
 * The known name that was probably meant, if any is close enough. Case and punctuation do not count; the end may be missing,
 * as in `resnext50` for `resnext50_32x4d`, or superfluous, as in `batch-size` for `batch`. A number is part of what is
 * meant: `resnet50` is closer to `resnext50_32x4d` than to `senet154`.
 *
 * @example meantName('modle', ['model', 'labels']) // 'model'
 */
export function meantName(name: string, names: readonly string[]): string | undefined {
  const typed = plain(name);
  if (typed === '' || name.length > maxLength) return undefined;
  const number = numberIn(name);
  const same = number === undefined ? [] : names.filter((known) => numberIn(known) === number);
  const limit = number !== undefined && same.length === 0 ? 1 : maxDistance(typed);
  const near = (same.length > 0 ? same : names).map((known) => ({ known, ...compare(typed, plain(known)) }));
  const whole = nearest(near, ({ whole }) => whole, limit);
  return whole ?? nearest(near, ({ begun }) => begun, limit);
}

/** One letter in three, at least one; a single letter has nothing in common with another one. */
const maxDistance = ({ length }: string): number => (length === 1 ? 0 : Math.max(1, Math.floor(length / 3)));

function nearest<T extends { readonly known: string }>(
  near: readonly T[],
  distanceOf: (one: T) => number,
  limit: number,
): string | undefined {
  const [first, ...rest] = near;
  if (!first) return undefined;
  const best = rest.reduce((a, b) => (distanceOf(b) < distanceOf(a) ? b : a), first);
  return distanceOf(best) <= limit ? best.known : undefined;
}

/** A question, after a space, if there is a name to ask for; otherwise nothing. */
export const didYouMean = (meant: string | undefined): string => (meant === undefined ? '' : ` Did you mean ${meant}?`);

const plain = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
const numberIn = (name: string): string | undefined => /\d+/.exec(name)?.[0];

/** The edit distance of two names, and the one that is left if the longer of them may go on after the shorter. */
function compare(typed: string, known: string): { readonly whole: number; readonly begun: number } {
  const row = distances(typed, known);
  const whole = row.at(-1)!;
  if (known.length >= 3 && typed.startsWith(known)) return { whole, begun: 0 };
  return { whole, begun: typed.length < 4 ? whole : Math.min(...row) };
}

/** The number of letters to insert, remove, change or swap to turn `a` into each of the beginnings of `b`. */
function distances(a: string, b: string): number[] {
  let [before, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, change, isSwap ? before[j - 2]! + 1 : change));
    }
    [before, row] = [row, next];
  }
  return row;
}
