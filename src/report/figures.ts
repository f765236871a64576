/** The parts that reports share: figures in large type, notices, and how numbers are written. */
import { escapeHtml } from '../page.ts';

/** A row of figures. Those that are undefined are left out. */
export function figures(items: readonly (readonly [value: string | undefined, name: string])[]): string {
  const rows = items.flatMap(([value, name]) =>
    value === undefined ? [] : [`<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`],
  );
  return `<dl class="figures">${rows.join('')}</dl>`;
}

/** Lines in smaller type below the heading. */
export const about = (lines: readonly string[]): string[] =>
  lines.map((line) => `<p class="about">${escapeHtml(line)}</p>`);

/** A sentence that nobody should miss. What is in backquotes is a command. */
export const notice = (sentence: string): string =>
  `<p class="notice">${escapeHtml(sentence).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`;

/** A percentage with two digits; undefined if there is none. */
export const percent = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : `${value.toFixed(2)} %`;

export const whole = (value: number): string => value.toLocaleString('en');

/** `1 image`, `1,200 images`. */
export const count = (number: number, noun: string): string => `${whole(number)} ${noun}${number === 1 ? '' : 's'}`;

export const figuresStyle = `.about { margin: 0; opacity: 0.75; }
.notice { border-left: 3px solid var(--series-2); padding: 0.15rem 0 0.15rem 0.75rem; }
code { font: 0.875em/1.5 ui-monospace, monospace; }
.notice code { display: inline-block; max-width: 100%; }
h2 { margin: 2.5rem 0 0.5rem; font-size: 1.3rem; line-height: 1.3; }
h3 { margin: 0 0 0.25rem; font-size: 1rem; }
h2 + p { margin-top: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 10rem)); gap: 0.9rem 1rem; margin: 1.25rem 0; }
.figures div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.figures dt { opacity: 0.75; font-size: 0.875rem; }
.figures dd { margin: 0; font-size: 1.5rem; line-height: 1.3; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1.5rem 2rem; }
.charts + .about { margin: 0.75rem 0; }
@media (min-width: 60rem) {
  .four { grid-template-columns: repeat(2, minmax(0, 27.5rem)); }
}
@media (max-width: 40rem) {
  .figures { grid-template-columns: repeat(2, 1fr); }
  .figures dd { font-size: 1.3rem; }
}
`;
