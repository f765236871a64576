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
  const drawn = [...models].map(([form, { graph }]) => {
    const svg = drawBlock(graph, block);
    return { form, svg, width: Number(/width="(\d+)" height/.exec(svg)![1]) };
  });
  const widest = Math.max(...drawn.map(({ width }) => width));
  const drawings = drawn.map(
    ({ form, svg, width }) => `<figure style="--width: ${width}"><figcaption>Form ${form}</figcaption>${svg}</figure>`,
  );
  const title = `${name}: forms A, B and C are ${verdict}`;
  const parts = [
    `<h1>${escapeHtml(name)}</h1>`,
    `<p class="${verification.equivalent ? 'good' : 'bad'}">Forms A, B and C are ${verdict}.</p>`,
    `<div class="beside">${htmlTable(verificationRows(verification))}`,
    `<p class="note">${escapeHtml(verificationNote(verification))}</p></div>`,
    `<h2>Block ${block}</h2>`,
    `<div class="drawings" style="--widest: ${widest}">${drawings.join('\n')}</div>`,
    `<h2>Where each weight of ${block} goes</h2>`,
    '<p>Branch i, counted from 0, holds this slice of the form C tensor. Numbers are moved, not computed.</p>',
    htmlTable(mappingRows(models, block)),
  ];
  return page(title, parts, style);
}

/** For each tensor of a block in form C, its shape and the slice of it that a branch holds in forms B and A. */
function mappingRows(models: ReadonlyMap<Form, Model>, block: string): string[][] {
  const whole = models.get('C')!.parameters.filter(({ value }) => value.name.startsWith(`${block}.`));
  const rows = whole.map(({ value, source }) => {
    const parts = (['B', 'A'] as const).map((form) => slices(models.get(form)!, source.name));
    return [value.name.slice(block.length + 1), `[${value.dims}]`, ...parts];
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

const style = `.note { flex: 1 1 16rem; }
.drawings { display: flex; gap: 1rem; align-items: flex-end; }
figure { flex: var(--width) 1 0; min-width: 0; max-width: calc(var(--width) * 1px); margin: 0; }
figcaption { font-weight: 600; }
figure svg { width: 100%; height: auto; }
.good { color: light-dark(#176b2c, #6fd08c); font-weight: 600; }
.bad { color: light-dark(#a01818, #ff8f8f); font-weight: 600; }
@media (max-width: 50rem) {
  .drawings { flex-direction: column; align-items: stretch; }
  figure svg { width: calc(100% * var(--width) / var(--widest)); }
  figure { flex: none; max-width: calc(var(--widest) * 1px); }
}
`;
