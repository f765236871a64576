/**
 * Names for the nodes and constants that rules add. They follow this package's own scheme,
 * `layer1.0.branches.3.conv2.weight`, as far as the existing names allow. Exporters write paths with slashes
 * (`/layer1/layer1.0/conv2/Conv`) or just numbers (`onnx::Conv_37`).
 */

/** The part of a path that names the branch, as this package and many others write it. */
const branchPart = /\bbranches\.\d+\./;

/**
 * The name for the node or constant that replaces one per branch: their common name without the branch numbers or, when
 * they have none, the first name.
 */
export function mergedName(names: readonly string[]): string {
  const stripped = names.map((name) => name.replace(branchPart, ''));
  const bare = stripped.map((name) => name.replace(/_\d+$/, '')); // a number that made equal names unique
  const inBranches = names.every((name) => branchPart.test(name));
  const found = [stripped, ...(inBranches ? [bare] : [])].find(([first, ...others]) =>
    others.every((name) => name === first),
  );
  return found?.[0] ?? withoutNumbers(names) ?? names[0]!;
}

/** Drops numbers at the end of the steps where paths differ: `a/conv1.0/Conv` and `a/conv1.1/Conv` → `a/conv1/Conv`. */
function withoutNumbers(names: readonly string[]): string | undefined {
  const [first, ...others] = names.map((name) => name.split(/(?=[./])/));
  if (others.some((steps) => steps.length !== first!.length)) return undefined;
  const merged: string[] = [];
  for (const [i, step] of first!.entries()) {
    const same = others.every((steps) => steps[i] === step);
    const bare = (text: string) => text.replace(/_?\d+$/, '');
    if (!same && (i === 0 || others.some((steps) => bare(steps[i]!) !== bare(step)))) return undefined;
    const kept = same ? step : bare(step);
    if (kept.length > 1 || same) merged.push(kept);
  }
  return merged.join('');
}

/** The name of a node's copy in branch i: `layer1.0.conv2` → `layer1.0.branches.3.conv2`. */
export const branchNode = (name: string, i: number): string => name.replace(/[^./]*$/, `branches.${i}.$&`);

/** The same for a constant: `layer1.0.conv2.weight` → `layer1.0.branches.3.conv2.weight`. */
export const branchConstant = (name: string, i: number): string =>
  name.replace(/(?:[^./]*[./])?[^./]*$/, `branches.${i}.$&`);

/** A sibling of a node's name: `layer1.0.conv3` → `layer1.0.sum`. */
export const beside = (name: string, last: string): string => name.replace(/[^./]*$/, last);

/** The name of the bias that belongs to a weight. */
export const biasName = (weight: string): string =>
  /weight$/.test(weight) ? weight.replace(/weight$/, 'bias') : `${weight}.bias`;
