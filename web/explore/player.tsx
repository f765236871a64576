/** The way from form A over B to C: forwards, backwards, step by step, or to any moment. */
import { Choice } from '../controls/controls.tsx';
import type { Block } from './block.ts';
import { captionAt, momentAt } from './captions.ts';
import { Counts } from './counts.tsx';
import { Drawing } from './drawing.tsx';
import { describePick, type Pick } from './reach.ts';
import type { Shades } from './shades.ts';
import { type Goal, useTime } from './time.ts';
import { Timeline } from './timeline.tsx';

interface PlayerProps {
  readonly block: Block;
  readonly shades: Shades | undefined;
  /** Where the animation rests. A new object makes it jump to its time. */
  readonly goal: Goal;
  readonly onRest: (time: number) => void;
  readonly pick: Pick | undefined;
  readonly onHover: (pick: Pick | undefined) => void;
  readonly onPin: (pick: Pick | undefined) => void;
}

const forms = [
  ['0', 'Form A'],
  ['1', 'Form B'],
  ['2', 'Form C'],
] as const;

export function Player({ block, shades, goal, onRest, pick, onHover, onPin }: PlayerProps) {
  const clock = useTime(goal, onRest);
  const { time, isPlaying, playTo } = clock;
  const caption = captionAt(block, time);
  return (
    <div class="player">
      <div class="stage">
        <Drawing
          {...{ block, shades, time, pick, onHover, onPin }}
          label={`The block, ${momentAt(time)}.`}
          describedBy="player-pick"
        />
        <p class="small">
          Rectangles are filters, bars are maps. The {block.cardinality * block.branchWidth} channels in the middle run
          from left to right, branch after branch. A 1×1 has the {block.input} channels of the input, or the{' '}
          {block.output} of the output, from top to bottom.
        </p>
      </div>
      <div class="beside">
        <Choice
          legend="Form"
          isLegendHidden
          options={forms}
          value={forms.find(([value]) => Number(value) === time)?.[0]}
          onChange={(value) => playTo(Number(value))}
        />
        <Timeline {...clock} from={0} to={2} />
        <div class="caption">
          <h2>{caption.title}</h2>
          <p>{caption.text}</p>
          {caption.formula && <p class="formula">{caption.formula}</p>}
        </div>
        <Counts block={block} time={time} />
        <p id="player-pick" class="pick" aria-live="polite">
          {pick
            ? describePick(block, pick)
            : 'Choose a filter or a channel, by pointing at it or with the arrow keys, and see what reaches it.'}
        </p>
        <p class="hidden" role="status">
          {isPlaying ? '' : `${caption.title}. ${caption.text}`}
        </p>
      </div>
    </div>
  );
}
