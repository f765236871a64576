/** A self-contained HTML page with inline styles that follows the system's light or dark setting. */

/** Escapes text for use between tags or in a quoted attribute. */
export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** A table with a heading row. A table that is too wide scrolls on its own. */
export function htmlTable([head, ...rows]: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string) =>
    row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('');
  const body = rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('\n');
  return `<div class="wide"><table><thead><tr>${cells(head!, 'th')}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

/**
 * @param style CSS rules to add to those of every page.
 * @example page('Report', ['<h1>Report</h1>', htmlTable([['a'], ['1']])])
 */
export const page = (title: string, parts: readonly string[], style = ''): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.25rem 1rem 0.25rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); white-space: nowrap; }
.wide { overflow-x: auto; }
${style}</style>
</head>
<body>
${parts.join('\n')}
</body>
</html>
`;
