/** A verification as rows of text, for the terminal and the report. */
import type { FormResult, Verification } from './verify.ts';

/** A heading row, then one row per measure: its name, its value in forms A, B and C, and the tolerance. */
export function verificationRows({ tolerances, forms }: Verification): string[][] {
  const exact = (value: number | undefined) => (value ? value.toExponential(1) : value === 0 ? '0' : '–');
  const whole = (value: number) => value.toLocaleString('en');
  const row = (title: string, cell: (form: FormResult) => string, bound = '') => [title, ...forms.map(cell), bound];
  return [
    ['', ...forms.map(({ form }) => `form ${form}`), 'tolerance'],
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

/** Explains the numbers in a sentence. */
export const verificationNote = ({ small }: Verification): string =>
  small
    ? `Largest relative differences from form C. Float64 results are from the interpreter, on ${small.batch} images of ${small.size} x ${small.size}.`
    : 'Relative differences from the original file. Gradients and float64 results are only available for models of this package.';
