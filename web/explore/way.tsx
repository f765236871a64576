/** Half of the way, for a block that is small enough to see every weight. */
import { useMemo, useState } from 'preact/hooks';
import { blockOf } from './block.ts';
import { captionAt, momentAt } from './captions.ts';
import { Drawing } from './drawing.tsx';
import { toy } from './network.ts';
import { describePick, type Pick } from './reach.ts';
import { shadesOf } from './shades.ts';
import { type Goal, useTime } from './time.ts';
import { Timeline } from './timeline.tsx';

const choice = { network: toy, stage: 1, position: 'later' } as const;

/** @param from 0 is form A, 1 is form B. */
export function Way({ from }: { readonly from: 0 | 1 }) {
  const block = useMemo(() => blockOf(choice), []);
  const shades = useMemo(() => shadesOf(choice, block), [block]);
  const [goal] = useState<Goal>({ time: from, isJump: true });
  const clock = useTime(goal, () => {});
  const [pinned, setPinned] = useState<Pick>();
  const [hovered, setHovered] = useState<Pick>();
  const pick = hovered ?? pinned;
  const caption = captionAt(block, clock.time);
  const id = `way-${from}`;
  return (
    <figure class="way">
      <Drawing
        {...{ block, shades, pick, time: clock.time }}
        label={`A block of four branches, ${momentAt(clock.time)}.`}
        describedBy={id}
        onHover={setHovered}
        onPin={setPinned}
      />
      <figcaption>
        <Timeline {...clock} from={from} to={from + 1} />
        <h3>{caption.title}</h3>
        <p>{caption.text}</p>
        <p id={id} class="pick">
          {pick ? describePick(block, pick) : ''}
        </p>
      </figcaption>
    </figure>
  );
}
