/** How a run was made: its network, the command, the options that differ from their defaults, machine and versions. */

import { barChart } from '../charts/charts.ts';
import { short } from '../output/text.ts';
import { escapeHtml, htmlTable, wide } from '../page.ts';
import { whole } from './figures.ts';
import type { RunDetails } from './run-details.ts';
import { chosenOptions, commandOf, optionText, shownValue } from './run-options.ts';

/** The section of a page. A page with it needs `originStyle`. */
export async function origin(details: RunDetails, uneven: boolean): Promise<string[]> {
  const { options, data, network, sessions } = details;
  const chosen = chosenOptions(options)
    .filter(({ name }) => name !== 'replicas') // mostly measured at the start, which the record does not tell
    .map(({ name, value, standard }) => [name, optionText(name, value), defaultText(name, standard)]);
  return [
    '<section class="origin"><h2>How it was made</h2>',
    ...(network ? [`<p>${escapeHtml(networkLine(details))}</p>`] : []),
    `<h3>Command</h3><pre class="command"><code>${commandOf(options)
      .map((part) => `<span>${escapeHtml(part)}</span>`)
      .join(' ')}</code></pre>`,
    '<div class="beside"><section><h3>Options that differ from their defaults</h3>',
    chosen.length === 0
      ? '<p>None.</p>'
      : `<div class="chosen">${htmlTable([['option', 'value', 'default'], ...chosen])}</div>`,
    '</section><section><h3>Environment</h3>',
    environment(details),
    ...(sessions.length > 1 ? ['<h3>Sessions</h3>', sessionTable(sessions)] : []),
    '</section>',
    ...(data && uneven && data.classes.length <= 40 ? [await classCounts(data.classes)] : []),
    '</div></section>',
  ];
}

/** The default variant is that of the table only where none can be chosen by the images. */
const defaultText = (name: string, standard: unknown): string =>
  name === 'variant' ? 'chosen' : optionText(name, standard);

function networkLine({ network, options, data }: RunDetails): string {
  const { variant, parameters, trained = parameters, macs } = network!;
  const part = trained < parameters ? `, of which ${whole(trained)} were trained` : '';
  const frozen =
    Array.isArray(options.freeze) && options.freeze.length > 0 ? ` Frozen: ${options.freeze.join(', ')}.` : '';
  const { validation = 0, validationFrom = '' } = data ?? {};
  const place = validationFrom.startsWith('held out') ? `images ${validationFrom}` : `the images in ${validationFrom}`;
  const from = validation === 0 || validationFrom === '' ? '' : ` Validated on ${place}.`;
  return `${variant}: ${whole(parameters)} parameters${part}, ${short(macs)} multiply-adds for an image.${frozen}${from}`;
}

function environment({ versions, machine, sessions }: RunDetails): string {
  const { cpu, cores, memory, system } = machine;
  const { started, threads, providers, lowering } = sessions.at(-1) ?? {};
  const rows: readonly (readonly [string, unknown])[] = [
    ['started', typeof started === 'string' ? started.replace('T', ' ').replace(/\..*/, ' UTC') : started],
    ['processor', cpu],
    ['cores', cores],
    ['threads', threads],
    ['memory', typeof memory === 'number' ? `${(memory / 2 ** 30).toFixed(1)} GiB` : memory],
    ['system', system],
    ['resnext', versions.resnext],
    ['Node', versions.node],
    ['ONNX Runtime', versions.onnxruntime],
    ['providers', providers],
    ['training step', lowering],
  ];
  const known = rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, shownValue(value)]]));
  return known.length === 0 ? '<p>Not recorded.</p>' : facts(known as [string, string][]);
}

/** A table without a heading row. */
const facts = (rows: readonly (readonly [string, string])[]): string =>
  wide(
    `<table class="facts"><tbody>${rows.map(([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join('')}</tbody></table>`,
    'Environment',
  );

const sessionTable = (sessions: RunDetails['sessions']): string =>
  htmlTable([
    ['started', 'epoch', 'step', 'threads'],
    ...sessions.map(({ started, epoch, step, threads }) =>
      [String(started).replace('T', ' ').replace(/\..*/, ''), epoch, step, threads].map(shownValue),
    ),
  ]);

async function classCounts(classes: NonNullable<RunDetails['data']>['classes']): Promise<string> {
  const bars = classes.map(({ name, train }) => ({ name, value: train }));
  return `<section><h3>Training images of each class</h3>${await barChart({ title: 'Training images of each class', bars })}</section>`;
}

export const originStyle = `.evaluated { margin: 2.5rem 0 -1.5rem; max-width: none; }
.origin .beside { gap: 1.5rem 4rem; }
.origin h3 { margin-top: 1rem; }
.command { margin: 0.25rem 0 0.5rem; padding: 0.75rem 1rem; border-radius: 6px; background: color-mix(in srgb, var(--ink) 6%, var(--paper)); white-space: pre-wrap; overflow-wrap: anywhere; font: 0.875rem/1.5 ui-monospace, monospace; }
.command span { display: inline-block; max-width: 100%; }
.facts th { font-weight: 400; opacity: 0.75; }
@media (max-width: 40rem) {
  .chosen :is(th, td) { white-space: normal; overflow-wrap: anywhere; padding-right: 0.5rem; }
}
`;
