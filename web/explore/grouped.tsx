/** A grouped convolution of one pixel, as a matrix of which only the blocks on the diagonal are there. */
import { useState } from 'preact/hooks';
import { Choice, NumberCell } from '../controls/controls.tsx';
import { signed, whole } from '../controls/numbers.ts';
import { filterChoices, type GroupedNumbers, inputChoices } from './figures.ts';

/** The numbers of groups that divide both. */
export const commonDivisors = (a: number, b: number): number[] =>
  Array.from({ length: Math.min(a, b) }, (_, i) => i + 1).filter((g) => a % g === 0 && b % g === 0);

interface GroupedProps {
  readonly numbers: GroupedNumbers;
  readonly onNumbers: (numbers: GroupedNumbers) => void;
}

export function Grouped({ numbers, onNumbers }: GroupedProps) {
  const { inputs, filters: count, groups: wanted, pixel: x, weights: w } = numbers;
  const change = (changes: Partial<GroupedNumbers>) => onNumbers({ ...numbers, ...changes });
  const [chosen, setChosen] = useState<number>();
  const divisors = commonDivisors(inputs, count);
  const groups = divisors.findLast((g) => g <= wanted) ?? 1;
  const [perGroup, filtersPerGroup] = [inputs / groups, count / groups];
  const groupOf = (filter: number) => Math.floor(filter / filtersPerGroup);
  const read = (filter: number) => Array.from({ length: perGroup }, (_, i) => groupOf(filter) * perGroup + i);
  const result = (filter: number) => read(filter).reduce((sum, channel) => sum + x[channel]! * w[filter]![channel]!, 0);
  const columns = Array.from({ length: inputs }, (_, i) => i);
  const shown = chosen !== undefined && chosen < count ? chosen : undefined;
  const isDim = (channel: number) => shown !== undefined && Math.floor(channel / perGroup) !== groupOf(shown);
  return (
    <figure class="grouped">
      <div class="choices">
        <Choice
          legend="Channels in"
          options={inputChoices.map((n) => [`${n}`, `${n}`] as const)}
          value={`${inputs}`}
          onChange={(n) => change({ inputs: Number(n) })}
        />
        <Choice
          legend="Filters, so channels out"
          options={filterChoices.map((n) => [`${n}`, `${n}`] as const)}
          value={`${count}`}
          onChange={(n) => change({ filters: Number(n) })}
        />
        <Choice
          legend="Groups"
          options={divisors.map((g) => [`${g}`, `${g}`] as const)}
          value={`${groups}`}
          onChange={(g) => change({ groups: Number(g) })}
        />
      </div>
      <div class="body">
        <section class="scroll" aria-label="The filters as a matrix">
          <table class="matrix" onMouseLeave={() => setChosen(undefined)}>
            <thead>
              <tr>
                <th scope="row">pixel</th>
                {columns.map((channel) => (
                  <td key={channel} class={isDim(channel) ? 'dim' : ''}>
                    <NumberCell
                      label={`Input channel ${channel + 1}`}
                      value={x[channel]!}
                      onChange={(next) => change({ pixel: x.with(channel, next) })}
                    />
                  </td>
                ))}
                <th scope="col" class="out">
                  out
                </th>
              </tr>
            </thead>
            <tbody>
              {Array.from({ length: count }, (_, filter) => (
                <tr key={filter} class={shown === filter ? 'chosen' : ''} onMouseEnter={() => setChosen(filter)}>
                  <th scope="row">filter {filter + 1}</th>
                  {columns.map((channel) =>
                    read(filter).includes(channel) ? (
                      <td key={channel} class={`there ${groupOf(filter) % 2 === 0 ? 'even' : 'odd'}`}>
                        <NumberCell
                          label={`Filter ${filter + 1}, channel ${channel + 1}`}
                          value={w[filter]![channel]!}
                          onFocus={() => setChosen(filter)}
                          onChange={(next) => change({ weights: w.with(filter, w[filter]!.with(channel, next)) })}
                        />
                      </td>
                    ) : (
                      <td key={channel} class="absent" />
                    ),
                  )}
                  <td class="out">{signed(result(filter))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <figcaption>
          <p class="formula" aria-live="polite">
            {shown === undefined
              ? 'Point at a filter, or change a number.'
              : `filter ${shown + 1} = ${read(shown)
                  .map(
                    (channel) =>
                      `${signed(x[channel]!)} · ${w[shown]![channel]! < 0 ? `(${signed(w[shown]![channel]!)})` : w[shown]![channel]}`,
                  )
                  .join(' + ')} = ${signed(result(shown))}`}
          </p>
          <dl class="facts">
            <div>
              <dt>a filter sees</dt>
              <dd>
                {perGroup} of {inputs} channels
              </dd>
            </div>
            <div>
              <dt>a group has</dt>
              <dd>{filtersPerGroup === 1 ? '1 filter' : `${filtersPerGroup} filters`}</dd>
            </div>
            <div>
              <dt>weights, as 1×1</dt>
              <dd>
                {count * perGroup} of {count * inputs}
              </dd>
            </div>
            <div>
              <dt>weights, as 3×3</dt>
              <dd>
                {9 * count * perGroup} of {9 * count * inputs}
              </dd>
            </div>
            <div>
              <dt>shape of the weight</dt>
              <dd>
                [{count}, {perGroup}, k, k]
              </dd>
            </div>
          </dl>
          {groups !== wanted && (
            <p role="status">
              {wanted} groups do not divide {inputs} and {count} channels evenly, so there are {groups}.
            </p>
          )}
        </figcaption>
      </div>
    </figure>
  );
}

const wide = 128;

/** What groups save: a 3x3 from 128 to 128 channels. */
export function GroupCosts() {
  const counts = commonDivisors(wide, wide);
  const weights = (g: number) => (9 * wide * wide) / g;
  return (
    <table class="bars">
      <caption>Weights of a 3×3 from 128 to 128 channels</caption>
      <thead>
        <tr>
          <th scope="col">groups</th>
          <th scope="col">a filter sees</th>
          <th scope="col">weights</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {counts.map((g) => (
          <tr key={g} class={g === 32 ? 'marked' : ''}>
            <th scope="row">
              {g}
              {g === 1 && <span class="note"> ordinary</span>}
              {g === 32 && <span class="note"> ResNeXt</span>}
              {g === wide && <span class="note"> depthwise</span>}
            </th>
            <td>{wide / g}</td>
            <td>{whole(weights(g))}</td>
            <td class="bar">
              <span style={{ width: `${100 / g}%` }} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
