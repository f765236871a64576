/** The three forms next to one another, with one channel picked in all of them. */
import { forms } from 'resnext';
import type { Block } from './block.ts';
import { Drawing } from './drawing.tsx';
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
        <p id="side-by-side-pick" class="pick">
          {pick ? describePick(block, pick) : 'Choose a filter or a channel in one form, and see it in all three.'}
        </p>
      </figcaption>
    </figure>
  );
}
