/** Why A is B: two dot products that are added, and one of twice the length, with numbers to change. */
import { useState } from 'preact/hooks';
import { Choice, NumberCell } from '../controls/controls.tsx';
import { signed } from '../controls/numbers.ts';
import type { VectorNumbers } from './figures.ts';

const length = 4;

const names = {
  map: ['a', 'b'],
  filter: ['x', 'y'],
} as const;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Terms of a sum; negative ones in parentheses. */
const terms = (values: readonly number[]): string =>
  values.map((value) => (value < 0 ? `(${signed(value)})` : `${value}`)).join(' + ');

interface VectorsProps {
  readonly numbers: VectorNumbers;
  readonly onNumbers: (numbers: VectorNumbers) => void;
}

export function Vectors({ numbers, onNumbers }: VectorsProps) {
  const [place, setPlace] = useState<'apart' | 'together'>('apart');
  const products = numbers.map.map((value, i) => value * numbers.filter[i]!);
  const [first, second] = [sum(products.slice(0, length)), sum(products.slice(length))];
  const cells = (line: keyof VectorNumbers) =>
    numbers[line].map((value, i) => {
      const half = i < length ? 0 : 1;
      return (
        <NumberCell
          key={i}
          class={half === 0 ? 'first' : 'second'}
          label={`${names[line][half]}, number ${(i % length) + 1}`}
          value={value}
          onChange={(next) => onNumbers({ ...numbers, [line]: numbers[line].with(i, next) })}
        />
      );
    });
  return (
    <figure class={`vectors ${place}`}>
      <div class="bench">
        <div class="row names" aria-hidden="true">
          <span>a</span>
          <span>b</span>
        </div>
        <div class="row">{cells('map')}</div>
        <div class="row names" aria-hidden="true">
          <span>x</span>
          <span>y</span>
        </div>
        <div class="row">{cells('filter')}</div>
        <div class="row products" role="img" aria-label={`Products: ${products.join(', ')}`}>
          {products.map((product, i) => (
            <span key={i}>{signed(product)}</span>
          ))}
        </div>
        <div class="row braces" aria-hidden="true">
          <span>{signed(first)}</span>
          <span>{signed(second)}</span>
          <span>{signed(first + second)}</span>
        </div>
      </div>
      <figcaption>
        <Choice
          legend="The two vectors"
          isLegendHidden
          options={[
            ['apart', 'Multiply, then add'],
            ['together', 'Concatenate, then multiply'],
          ]}
          value={place}
          onChange={setPlace}
        />
        <p class="formula" aria-live="polite">
          {place === 'apart' ? 'a·x + b·y' : '(a, b)·(x, y)'} ={' '}
          {place === 'apart' ? `${signed(first)} + ${second < 0 ? `(${signed(second)})` : second}` : terms(products)} ={' '}
          <strong>{signed(first + second)}</strong>
        </p>
        <p>
          The same eight products, added up in two ways. Change any number: the results stay equal, because a sum does
          not depend on its parentheses.
        </p>
      </figcaption>
    </figure>
  );
}
