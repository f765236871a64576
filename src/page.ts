/** A self-contained HTML page with inline styles that follows the system's light or dark setting. */

/** Escapes text for use between tags or in a quoted attribute. */
export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** Columns of numbers are right-aligned. */
const isNumber = (cell: string): boolean => /^(–|[\d.,]+(e[+-]\d+)?)?$/.test(cell);

/** A table with a heading row. */
export function htmlTable([head, ...rows]: readonly (readonly string[])[]): string {
  const numeric = head!.map((_, c) => rows.every((row) => isNumber(row[c] ?? '')));
  const cell = (tag: string) => (text: string, c: number) =>
    `<${tag}${numeric[c] ? ' class="number"' : ''}>${escapeHtml(text)}</${tag}>`;
  const body = rows.map((row) => `<tr>${row.map(cell('td')).join('')}</tr>`).join('\n');
  return wide(
    `<table><thead><tr>${head!.map(cell('th')).join('')}</tr></thead><tbody>\n${body}\n</tbody></table>`,
    'Table',
  );
}

/** Content that scrolls on its own if it is too wide for the page, with a shadow on the side where it goes on. */
export const wide = (content: string, label: string): string =>
  `<div class="wide" role="region" tabindex="0" aria-label="${escapeHtml(label)}">${content}</div>`;

/**
 * @param style CSS rules to add to those of every page.
 * @example page('Report', ['<h1>Report</h1>', htmlTable([['a'], ['1']])])
 */
export const page = (title: string, parts: readonly string[], style = ''): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>
:root {
  color-scheme: light dark;
  --paper: light-dark(#ffffff, #0d1117);
  --ink: light-dark(#1c2128, #e6eaf0);
  --line: color-mix(in srgb, var(--ink) 18%, var(--paper));
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink); background: var(--paper); }
h1 { margin: 0; font-size: clamp(1.4rem, 1rem + 2vw, 2rem); line-height: 1.25; }
h1, p { overflow-wrap: anywhere; }
p { max-width: 46rem; text-wrap: pretty; }
.beside { display: flex; flex-wrap: wrap; gap: 0 4rem; align-items: flex-start; }
.beside > * { max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.25rem 1rem 0.25rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
.number { text-align: right; }
.wide {
  --shade: light-dark(#0003, #fff3);
  overflow-x: auto;
  background:
    linear-gradient(to right, var(--paper) 1.5rem, transparent 3rem) left / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--paper) 1.5rem, transparent 3rem) right / 3rem 100% no-repeat local,
    linear-gradient(to right, var(--shade), transparent) left / 0.9rem 100% no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) right / 0.9rem 100% no-repeat scroll;
}
@media (max-width: 40rem) {
  body { margin: 1rem auto; }
  table { font-size: 0.875rem; }
  th, td { padding-right: 0.75rem; }
}
${style}</style>
</head>
<body>
${parts.join('\n')}
</body>
</html>
`;
