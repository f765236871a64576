/** Explore: what a ResNeXt block is, why its three forms are one, and what grouped convolution does. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { PartProps } from '../parts.ts';
import { Article } from './article.tsx';
import { type BlockChoice, blockOf } from './block.ts';
import { NetworkControls } from './network-controls.tsx';
import { Player } from './player.tsx';
import { channelsOf, type Pick } from './reach.ts';
import { shadesOf } from './shades.ts';
import { type ExploreState, readState, writeState } from './state.ts';
import type { Goal } from './time.ts';

/** Whether there is room for the controls and the drawing at once. */
const isWide = matchMedia('(min-width: 960px)').matches;

export function Part({ fields, onFields }: PartProps) {
  const { state, goal, change } = useExplore(fields, onFields);
  const { network, stage, position } = state;
  const choice = useMemo(() => ({ network, stage, position }), [network, stage, position]);
  const block = useMemo(() => blockOf(choice), [choice]);
  const shades = useMemo(() => shadesOf(choice, block), [choice, block]);
  const [hovered, setHovered] = useState<Pick>();
  const pick = existing(hovered) ?? existing(state.pick);

  function existing(given: Pick | undefined): Pick | undefined {
    return given && given.channel < channelsOf(block, given.layer) ? given : undefined;
  }

  const choose = (next: BlockChoice) => change({ ...next, pick: undefined });

  return (
    <article class="explore">
      <header class="lead">
        <h1>One block, three forms</h1>
        <p>
          ResNeXt splits its input into many small branches, transforms each and merges the results. The block can be
          written in three ways that look different and compute the same. Follow the rectangles.
        </p>
      </header>
      <Player
        {...{ block, shades, goal, pick }}
        onRest={(time) => change({ time })}
        onHover={setHovered}
        onPin={(pinned) => change({ pick: pinned })}
      />
      <NetworkControls choice={choice} onChange={choose} isOpen={isWide} />
      <Article
        {...{ choice, block, shades, pick }}
        figures={state.figures}
        onFigures={(figures) => change({ figures })}
        onHover={setHovered}
        onPin={(pinned) => change({ pick: pinned })}
        onChoice={choose}
      />
    </article>
  );
}

/** The state, where the address that was opened wants the animation, and a function that changes the state. */
function useExplore(fields: PartProps['fields'], onFields: PartProps['onFields']) {
  const [state, setState] = useState(() => readState(fields));
  const [goal, setGoal] = useState<Goal>({ time: state.time });
  const current = useRef(state);
  const set = (next: ExploreState) => {
    current.current = next;
    setState(next);
  };
  const shown = useRef(fields);
  useEffect(() => {
    if (fields === shown.current) return;
    shown.current = fields;
    const opened = readState(fields);
    set(opened);
    setGoal({ time: opened.time });
  }, [fields]);
  const change = (changes: Partial<ExploreState>) => {
    set({ ...current.current, ...changes });
    onFields(writeState(current.current));
  };
  return { state, goal, change };
}
