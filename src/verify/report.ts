/**
 * A verification as an HTML page: the verdict, the table, a block drawn in all three forms, and where each weight goes.
 */
import { blockNames, drawBlock } from '../draw/block.ts';
import { type Form, forms, type ResNeXtConfig } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { escapeHtml, htmlTable, page } from '../page.ts';
import { verificationNote, verificationRows } from './table.ts';
import type { Verification } from './verify.ts';

/**
 * @param name name of the verified model, for the title.
 * @example await writeFile('report.html', verificationReport('resnext50_32x4d', config, verification));
 */
export function verificationReport(name: string, config: ResNeXtConfig, verification: Verification): string {
  const models = new Map(forms.map((form) => [form, resnext({ ...config, form })]));
  const block = blockNames(models.get('C')!.graph).find((path) => path.endsWith('.1')) ?? 'layer1.0';
  const verdict = verification.equivalent ? 'equivalent' : 'not equivalent';
  const drawings = [...models].map(([form, { graph }]) => {
    return `<figure><figcaption>Form ${form}</figcaption>${drawBlock(graph, block)}</figure>`;
  });
  const title = `${name}: forms A, B and C are ${verdict}`;
  const parts = [
    `<h1>${escapeHtml(name)}</h1>`,
    `<p class="${verification.equivalent ? 'good' : 'bad'}">Forms A, B and C are ${verdict}.</p>`,
    htmlTable(verificationRows(verification)),
    `<p>${escapeHtml(verificationNote(verification))}</p>`,
    `<h2>Block ${block}</h2>`,
    `<div class="drawings">${drawings.join('\n')}</div>`,
    '<h2>Where each weight goes</h2>',
    htmlTable(mappingRows(models, block)),
    '<p>Branch i, counted from 0, holds this slice of the form C tensor. Numbers are moved, not computed.</p>',
  ];
  return page(title, parts, style);
}

/** For each tensor of a block in form C, its shape and the slice of it that a branch holds in forms B and A. */
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
  if (parts.length === 1) return 'unchanged';
  const { value, source } = parts.at(-1)!;
  const size = value.dims![source.axis] as number;
  const along = source.axis === 1 ? 'columns' : 'rows';
  const last = size === 1 ? '' : ` to ${size}i + ${size - 1}`;
  return `${parts.length} x [${value.dims}]: ${along} ${size}i${last}`;
}

const style = `.drawings { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-end; }
figure { margin: 0; }
figure svg { max-width: 100%; height: auto; }
.good { color: light-dark(#176b2c, #6fd08c); font-weight: 600; }
.bad { color: light-dark(#a01818, #ff8f8f); font-weight: 600; }
`;
