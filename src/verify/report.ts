/** A verification as one HTML page: the verdict, the table, a block drawn in the three forms, and which weight goes where. */
import { blockNames, drawBlock } from '../draw/block.ts';
import { type Form, forms, type ResNeXtConfig } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { verificationNote, verificationRows } from './table.ts';
import type { Verification } from './verify.ts';

/**
 * @param name what was verified, for the title.
 * @example await writeFile('report.html', verificationReport('resnext50_32x4d', config, verification));
 */
export function verificationReport(name: string, config: ResNeXtConfig, verification: Verification): string {
  const models = new Map(forms.map((form) => [form, resnext({ ...config, form })]));
  const block = blockNames(models.get('C')!.graph).find((path) => path.endsWith('.1')) ?? 'layer1.0';
  const verdict = verification.equivalent ? 'equivalent' : 'not equivalent';
  const drawings = [...models].map(([form, { graph }]) => {
    return `<figure><figcaption>Form ${form}</figcaption>${drawBlock(graph, block)}</figure>`;
  });
  return page(`${name}: forms A, B and C are ${verdict}`, [
    `<h1>${escapeHtml(name)}</h1>`,
    `<p class="${verification.equivalent ? 'good' : 'bad'}">Forms A, B and C are ${verdict}.</p>`,
    htmlTable(verificationRows(verification)),
    `<p>${escapeHtml(verificationNote(verification))}</p>`,
    `<h2>Block ${block}</h2>`,
    `<div class="drawings">${drawings.join('\n')}</div>`,
    '<h2>Which weight goes where</h2>',
    htmlTable(mappingRows(models, block)),
    '<p>Branch i, from 0, has that slice of the form C tensor: numbers are moved, not computed.</p>',
  ]);
}

/** For each tensor of a block in form C, its shape and what the second branch of the other forms has of it. */
function mappingRows(models: ReadonlyMap<Form, Model>, block: string): string[][] {
  const whole = models.get('C')!.parameters.filter(({ value }) => value.name.startsWith(`${block}.`));
  const rows = whole.map(({ value, source }) => {
    const parts = (['B', 'A'] as const).map((form) => slices(models.get(form)!, source.name));
    return [value.name, `[${value.dims}]`, ...parts];
  });
  return [['form C', 'shape', 'form B', 'form A'], ...rows];
}

function slices(model: Model, name: string): string {
  const parts = model.parameters.filter(({ source }) => source.name === name);
  if (parts.length === 1) return 'as it is';
  const { value, source } = parts.at(-1)!;
  const size = value.dims![source.axis] as number;
  const along = source.axis === 1 ? 'columns' : 'rows';
  const last = size === 1 ? '' : ` to ${size}i + ${size - 1}`;
  return `${parts.length} x [${value.dims}]: ${along} ${size}i${last}`;
}

const escapeHtml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function htmlTable([head, ...rows]: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string) =>
    row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('');
  const body = rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('\n');
  return `<div class="wide"><table><thead><tr>${cells(head!, 'th')}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

const page = (title: string, parts: readonly string[]): string => `<!doctype html>
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
.drawings { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-end; }
figure { margin: 0; }
figure svg { max-width: 100%; height: auto; }
.good { color: light-dark(#176b2c, #6fd08c); font-weight: 600; }
.bad { color: light-dark(#a01818, #ff8f8f); font-weight: 600; }
</style>
</head>
<body>
${parts.join('\n')}
</body>
</html>
`;
