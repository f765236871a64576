/**
 * Which of several networks in a file to use: a moving average of the weights, as in timm's evaluation; then the teacher
 * of a distillation, the best of a run, any other; last what an optimizer keeps. The words of their keys decide.
 */

/** Words in the key of a network, the preferred ones first. */
const groups: readonly ReadonlySet<string>[] = [
  new Set(['ema', 'averaged', 'average', 'avg', 'swa', 'polyak', 'shadow']),
  new Set(['teacher']),
  new Set(['best']),
];
const ofOptimizers = new Set(['optimizer', 'optimizers', 'optimiser', 'optim', 'opt', 'slots', 'grads', 'scheduler']);

/** The preference of a key with none of these words. */
export const neutral = groups.length;

/**
 * The place of a key, or of a prefix of names, in the order of preference: less comes first.
 *
 * @example preference('model_ema.module.') < preference('model.') // true
 */
export function preference(key: string): number {
  const words = key.split(/[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])/).map((word) => word.toLowerCase());
  if (words.some((word) => ofOptimizers.has(word))) return neutral + 1;
  const group = groups.findIndex((known) => words.some((word) => known.has(word)));
  return group < 0 ? neutral : group;
}

/** The preference of a key inside another. */
export const preferred = (outer: number, inner: number): number =>
  Math.max(outer, inner) > neutral ? neutral + 1 : Math.min(outer, inner);
