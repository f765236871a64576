/** The three forms next to one another, with one channel picked in all of them. */
import { forms } from 'resnext';
import type { Block } from './block.ts';
import { Drawing, labelsOf } from './drawing.tsx';
import { describePick, type Pick } from './reach.ts';
import type { Shades } from './shades.ts';

interface SideBySideProps {
  readonly block: Block;
  readonly shades: Shades | undefined;
  readonly pick: Pick | undefined;
  readonly onHover: (pick: Pick | undefined) => void;
  readonly onPin: (pick: Pick | undefined) => void;
}

const names = { A: 'branches, added', B: 'branches, concatenated', C: 'a grouped convolution' } as const;

export function SideBySide({ block, shades, pick, onHover, onPin }: SideBySideProps) {
  return (
    <figure class="side-by-side">
      <section class="scroll" aria-label="The three forms side by side">
        {forms.map((form, time) => (
          <section key={form}>
            <h3>
              Form {form}
              <span>{names[form]}</span>
            </h3>
            <Drawing
              {...{ block, shades, time, pick, onHover, onPin }}
              label={`Form ${form}.`}
              describedBy="side-by-side-pick"
            />
          </section>
        ))}
      </section>
      <figcaption>
        <p id="side-by-side-pick" class="pick" aria-live="polite">
          {pick ? describePick(block, pick) : 'Choose a filter or a channel in one form, and see it in all three.'}
        </p>
        <Shapes block={block} />
      </figcaption>
    </figure>
  );
}

/** What the drawings show, in words and numbers. */
function Shapes({ block }: { readonly block: Block }) {
  const columns = forms.map((_, time) => labelsOf(block, time));
  return (
    <details>
      <summary>The drawings as a table</summary>
      <div class="scroll">
        <table class="places">
          <thead>
            <tr>
              <td />
              {forms.map((form) => (
                <th key={form} scope="col">
                  {form}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {columns[0]!.map(({ row }, i) => (
              <tr key={row}>
                <th scope="row">{row}</th>
                {columns.map((labels, c) => {
                  const { title, lines } = labels[i]!;
                  return (
                    <td key={forms[c]}>
                      {(row === 'input' || row === 'output' ? lines : [title, ...lines]).join(', ')}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
