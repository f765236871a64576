/** The numbers of a block in each form, from its graphs. Those that are equal in all forms say so. */
import { forms } from 'resnext';
import { short, whole } from '../controls/numbers.ts';
import type { Block, FormOfBlock } from './block.ts';

const lines: readonly (readonly [
  name: string,
  value: (form: FormOfBlock) => number,
  format: (value: number) => string,
])[] = [
  ['convolutions', (form) => form.convolutions, whole],
  ['normalizations', (form) => form.normalizations, whole],
  ['graph nodes', (form) => form.cost.nodes, whole],
  ['parameters', (form) => form.cost.parameters, whole],
  ['multiply-adds', (form) => form.cost.macs, short],
];

export function Counts({ block, time }: { readonly block: Block; readonly time: number }) {
  return (
    <table class="counts">
      <caption class="hidden">The block in numbers</caption>
      <thead>
        <tr>
          <td />
          {forms.map((form, i) => (
            <th key={form} scope="col" class={i === time ? 'now' : ''}>
              {form}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map(([name, value, format]) => {
          const values = forms.map((form) => value(block.forms[form]));
          const isEqual = values.every((each) => each === values[0]);
          return (
            <tr key={name} class={isEqual ? 'equal' : ''}>
              <th scope="row">{name}</th>
              {values.map((each, i) => (
                <td key={forms[i]} class={i === time ? 'now' : ''}>
                  {isEqual && i > 0 && <span aria-hidden="true">= </span>}
                  {format(each)}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
