/** The name that someone who mistyped one may have meant. */

/** Longer than any name that could be meant. */
const maxLength = 100;

/** The known name with the smallest edit distance, the first of several; undefined for a name too long to compare. */
export function closestName(name: string, names: readonly string[]): { known: string; distance: number } | undefined {
  if (name.length > maxLength) return undefined;
  const distances = names.map((known) => ({ known, distance: editDistance(name, known) }));
  return distances.reduce((a, b) => (b.distance < a.distance ? b : a));
}

/** The number of letters to insert, remove or change to turn one name into the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1)!;
}
