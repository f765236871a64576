/** A verification as rows of text, for the terminal and the report. */
import type { FormResult, Verification } from './verify.ts';

/** A heading row, then one row per measure: its name, forms A, B and C, and what is allowed. */
export function verificationRows({ tolerances, forms }: Verification): string[][] {
  const exact = (value: number | undefined) => (value ? value.toExponential(1) : value === 0 ? '0' : '–');
  const whole = (value: number) => value.toLocaleString('en');
  const row = (title: string, cell: (form: FormResult) => string, bound = '') => [title, ...forms.map(cell), bound];
  return [
    ['', ...forms.map(({ form }) => `form ${form}`), 'at most'],
    row('parameters', ({ parameters }) => whole(parameters), 'equal'),
    row('multiply-adds', ({ macs }) => whole(macs), 'equal'),
    row('nodes', ({ nodes }) => whole(nodes)),
    row('outputs, float64', ({ output64 }) => exact(output64), exact(tolerances.output64)),
    row('outputs, float32', ({ output32 }) => exact(output32), exact(tolerances.output32)),
    row('gradients, float64', ({ gradient64 }) => exact(gradient64), exact(tolerances.gradient64)),
    row('running statistics, float64', ({ statistics64 }) => exact(statistics64), exact(tolerances.statistics64)),
    row('ms per image', ({ milliseconds }) => milliseconds.toFixed(1)),
  ];
}

/** What the numbers are, in a sentence or two. */
export const verificationNote = ({ small }: Verification): string =>
  small
    ? `Largest relative differences from form C. Float64 is the interpreter's, on ${small.batch} images of ${small.size} x ${small.size}.`
    : 'Relative differences from the file itself; gradients and float64 are for models of this package.';
