/**
 * Names for what rules make. They follow this package's own, `layer1.0.branches.3.conv2.weight`, as far as the names that
 * are there allow; exporters write paths with slashes (`/layer1/layer1.0/conv2/Conv`) or only numbers (`onnx::Conv_37`).
 */

/** The part of a path that says which branch it is in, as this package and many others name branches. */
const branchPart = /\bbranches\.\d+\./;

/**
 * The name for what the branches' parts become together: theirs without what tells the branches apart, or failing that
 * the first one's.
 */
export function mergedName(names: readonly string[]): string {
  const stripped = names.map((name) => name.replace(branchPart, ''));
  const bare = stripped.map((name) => name.replace(/_\d+$/, '')); // a number that told apart equal names
  const inBranches = names.every((name) => branchPart.test(name));
  const found = [stripped, ...(inBranches ? [bare] : [])].find(([first, ...others]) =>
    others.every((name) => name === first),
  );
  return found?.[0] ?? withoutNumbers(names) ?? names[0]!;
}

/** What paths become that differ only in numbers at the end of some steps: `a/conv1.0/Conv` and `a/conv1.1/Conv`. */
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

/** The name of branch i's part of a node: `layer1.0.conv2` → `layer1.0.branches.3.conv2`. */
export const branchNode = (name: string, i: number): string => name.replace(/[^./]*$/, `branches.${i}.$&`);

/** The same for a constant: `layer1.0.conv2.weight` → `layer1.0.branches.3.conv2.weight`. */
export const branchConstant = (name: string, i: number): string =>
  name.replace(/(?:[^./]*[./])?[^./]*$/, `branches.${i}.$&`);

/** Another name beside a node's: `layer1.0.conv3` → `layer1.0.sum`. */
export const beside = (name: string, last: string): string => name.replace(/[^./]*$/, last);

/** What the bias is called that goes with a weight. */
export const biasName = (weight: string): string =>
  /weight$/.test(weight) ? weight.replace(/weight$/, 'bias') : `${weight}.bias`;
