/** The way from form A over B to C: forwards, backwards, step by step, or to any moment. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Choice } from '../controls/controls.tsx';
import { useReducedMotion } from '../controls/motion.ts';
import type { Block } from './block.ts';
import { captionAt, momentAt } from './captions.ts';
import { Counts } from './counts.tsx';
import { Drawing } from './drawing.tsx';
import { stops } from './layout.ts';
import { describePick, type Pick } from './reach.ts';
import type { Shades } from './shades.ts';

/** Seconds from one stop to the next. */
const stepSeconds = 1.5;

interface PlayerProps {
  readonly block: Block;
  readonly shades: Shades | undefined;
  /** Where the animation rests. A new object makes it play to its time. */
  readonly goal: Goal;
  readonly onRest: (time: number) => void;
  readonly pick: Pick | undefined;
  readonly onHover: (pick: Pick | undefined) => void;
  readonly onPin: (pick: Pick | undefined) => void;
}

export interface Goal {
  readonly time: number;
  /** Whether to go there at once. */
  readonly isJump: boolean;
}

const forms = [
  ['0', 'Form A'],
  ['1', 'Form B'],
  ['2', 'Form C'],
] as const;

export function Player({ block, shades, goal, onRest, pick, onHover, onPin }: PlayerProps) {
  const [time, isPlaying, playTo, jumpTo] = useTime(goal, onRest);
  const caption = captionAt(block, time);
  const next = stops.find((stop) => stop > time + 0.001);
  const previous = stops.findLast((stop) => stop < time - 0.001);
  return (
    <div class="player">
      <div class="stage">
        <Drawing
          {...{ block, shades, time, pick, onHover, onPin }}
          label={`The block, ${momentAt(time)}.`}
          describedBy="player-pick"
        />
      </div>
      <div class="beside">
        <Choice
          legend="Form"
          isLegendHidden
          options={forms}
          value={forms.find(([value]) => Number(value) === time)?.[0]}
          onChange={(value) => playTo(Number(value))}
        />
        <div class="timeline">
          <button
            type="button"
            onClick={() => previous !== undefined && playTo(previous)}
            disabled={previous === undefined}
          >
            <span aria-hidden="true">‹</span> Back
          </button>
          <button type="button" class="main" onClick={() => (isPlaying ? jumpTo(time) : playTo(time >= 2 ? 0 : 2))}>
            {isPlaying ? 'Pause' : time >= 2 ? 'Play back' : 'Play'}
          </button>
          <button type="button" onClick={() => next !== undefined && playTo(next)} disabled={next === undefined}>
            Step <span aria-hidden="true">›</span>
          </button>
          <input
            type="range"
            min={0}
            max={2}
            step={0.01}
            value={time}
            list="player-stops"
            aria-label="Between the forms"
            aria-valuetext={momentAt(time)}
            onInput={({ currentTarget }) => jumpTo(currentTarget.valueAsNumber)}
          />
          <datalist id="player-stops">
            {stops.map((stop) => (
              <option key={stop} value={stop} />
            ))}
          </datalist>
          <div class="marks" aria-hidden="true">
            <span>A</span>
            <span>B</span>
            <span>C</span>
          </div>
        </div>
        <div class="caption">
          <h3>{caption.title}</h3>
          <p>{caption.text}</p>
          {caption.formula && <p class="formula">{caption.formula}</p>}
        </div>
        <Counts block={block} time={time} />
        <p id="player-pick" class="pick">
          {pick
            ? describePick(block, pick)
            : 'Point at a filter or a channel, or focus the drawing and use the arrow keys, to see what reaches it.'}
        </p>
        <p class="hidden" role="status">
          {isPlaying ? '' : `${caption.title}. ${caption.text}`}
        </p>
      </div>
    </div>
  );
}

type Time = readonly [time: number, isPlaying: boolean, playTo: (time: number) => void, jumpTo: (time: number) => void];

/** The moment that is shown. It moves towards a goal, or jumps there if the reader wants little motion. */
function useTime(goal: Goal, onRest: (time: number) => void): Time {
  const isReduced = useReducedMotion();
  const [time, setTime] = useState(goal.time);
  const [target, setTarget] = useState<number>();
  const now = useRef(time);
  now.current = time;
  const rest = useRef(onRest);
  rest.current = onRest;

  useEffect(() => {
    if (target === undefined) return;
    let before: number | undefined;
    let request = requestAnimationFrame(function move(stamp) {
      const passed = before === undefined ? 0 : Math.min(0.05, (stamp - before) / 1000);
      before = stamp;
      const left = target - now.current;
      const way = (passed / stepSeconds) * 0.5;
      const next = Math.abs(left) <= way ? target : now.current + Math.sign(left) * way;
      setTime(next);
      if (next !== target) request = requestAnimationFrame(move);
      else {
        setTarget(undefined);
        rest.current(target);
      }
    });
    return () => cancelAnimationFrame(request);
  }, [target]);

  const jumpTo = (to: number) => {
    setTarget(undefined);
    setTime(to);
    rest.current(to);
  };
  const playTo = (to: number) => {
    if (isReduced || to === now.current) jumpTo(to);
    else setTarget(to);
  };
  const first = useRef(goal);
  useEffect(() => {
    if (goal === first.current) return;
    first.current = goal;
    (goal.isJump ? jumpTo : playTo)(goal.time);
  }, [goal]);
  return [time, target !== undefined, playTo, jumpTo];
}
