/** Half of the way, for a block that is small enough to see every weight. */
import { useState } from 'preact/hooks';
import type { Block } from './block.ts';
import { captionAt, momentAt } from './captions.ts';
import { Drawing } from './drawing.tsx';
import { describePick, type Pick } from './reach.ts';
import type { Shades } from './shades.ts';
import { type Goal, useTime } from './time.ts';
import { Timeline } from './timeline.tsx';

interface WayProps {
  readonly block: Block;
  readonly shades: Shades | undefined;
  /** 0 is form A, 1 is form B. */
  readonly from: 0 | 1;
}

export function Way({ block, shades, from }: WayProps) {
  const [goal] = useState<Goal>({ time: from });
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
        <p id={id} class="pick" aria-live="polite">
          {pick ? describePick(block, pick) : ''}
        </p>
      </figcaption>
    </figure>
  );
}
