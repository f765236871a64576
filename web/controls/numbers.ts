/** Numbers as the page writes them. */

/** @example whole(70144) // '70,144' */
export const whole = (value: number): string => value.toLocaleString('en');

/** @example signed(-3) // '−3' */
export const signed = (value: number): string => `${value}`.replace('-', '−');

/** @example short(219976704) // '220.0 M' */
export function short(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  return value >= 1e4 ? `${(value / 1e3).toFixed(1)} k` : whole(value);
}

/** With spaces at which lines do not break. @example exponent(2.4e-7) // '2.4 × 10⁻⁷' */
export function exponent(value: number): string {
  if (value === 0) return '0';
  const [digits, power] = value.toExponential(1).split('e') as [string, string];
  const superscript = [...power.replace('+', '')].map((c) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(c)] ?? '⁻').join('');
  return power === '+0' ? digits : `${digits}\u00a0×\u00a010${superscript}`;
}
