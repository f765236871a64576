/** Text in charts: round numbers for axes, how numbers are written, how wide text is, and labels that do not overlap. */

/** Round numbers (1, 2 or 5 times a power of ten apart) within a range, about as many as asked for. */
export function tickValues([low, high]: readonly [number, number], count: number): number[] {
  const rough = (high - low) / count;
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough / 1.4) ?? 10);
  const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)));
}

/** A number with at most four digits: `0.877`, `58.5`, `1,234`, `2e-5`. */
export function numberText(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e7) return Number(value.toPrecision(3)).toExponential().replace('e+', 'e');
  if (size >= 1000) return Math.round(value).toLocaleString('en');
  return `${Number(value.toPrecision(4))}`;
}

/** About how wide text is, in pixels. */
export const labelWidth = (text: string, font: number): number => 0.58 * font * text.length;

/**
 * Moves places on a line until neighbors are `gap` apart, as little as possible.
 *
 * @param end the last place that may be used.
 * @example apart([10, 11], 14, 200) // [3.5, 17.5]
 */
export function apart(places: readonly number[], gap: number, end: number): number[] {
  const order = places.map((place, index) => ({ place, index })).sort((a, b) => a.place - b.place);
  let groups = order.map(({ place }) => ({ sum: place, count: 1 }));
  const top = ({ sum, count }: { sum: number; count: number }) =>
    Math.max(0, Math.min(end - (count - 1) * gap, sum / count - ((count - 1) * gap) / 2));
  for (let k = 1; k < groups.length; ) {
    const [before, own] = [groups[k - 1]!, groups[k]!];
    if (top(before) + before.count * gap <= top(own) + 1e-9) {
      k++;
      continue;
    }
    groups = groups.toSpliced(k - 1, 2, { sum: before.sum + own.sum, count: before.count + own.count });
    k = Math.max(1, k - 1);
  }
  const moved = groups.flatMap((group) => Array.from({ length: group.count }, (_, i) => top(group) + i * gap));
  const result = new Array<number>(places.length);
  for (const [k, { index }] of order.entries()) result[index] = moved[k]!;
  return result;
}
