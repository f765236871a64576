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
  const [state, change] = useExplore(fields, onFields);
  const { network, stage, position } = state;
  const choice = useMemo(() => ({ network, stage, position }), [network, stage, position]);
  const block = useMemo(() => blockOf(choice), [choice]);
  const shades = useMemo(() => shadesOf(choice, block), [choice, block]);
  const [hovered, setHovered] = useState<Pick>();
  const pick = existing(hovered) ?? existing(state.pick);
  const [goal, setGoal] = useState<Goal>({ time: state.time, isJump: true });

  function existing(given: Pick | undefined): Pick | undefined {
    return given && given.channel < channelsOf(block, given.layer) ? given : undefined;
  }

  const choose = (next: BlockChoice) => change({ ...next, pick: undefined });

  useEffect(() => setGoal({ time: state.time, isJump: true }), [state.time]);

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
        onHover={setHovered}
        onPin={(pinned) => change({ pick: pinned })}
        onChoice={choose}
      />
    </article>
  );
}

/** The state, and a function that changes a part of it and the address. */
function useExplore(fields: PartProps['fields'], onFields: PartProps['onFields']) {
  const [state, setState] = useState(() => readState(fields));
  const written = useRef(JSON.stringify(fields));
  useEffect(() => {
    const text = JSON.stringify(fields);
    if (text === written.current) return;
    written.current = text; // the address was changed by hand, or by a link
    setState(readState(fields));
  }, [fields]);
  const current = useRef(state);
  current.current = state;
  const change = (changes: Partial<ExploreState>) => {
    const next = { ...current.current, ...changes };
    current.current = next;
    setState(next);
    const nextFields = writeState(next);
    written.current = JSON.stringify(nextFields);
    onFields(nextFields);
  };
  return [state, change] as const;
}
