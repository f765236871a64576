/** Forwards, backwards, step by step, or to any moment between two forms. */
import { useId } from 'preact/hooks';
import { Choice } from '../controls/controls.tsx';
import { momentAt } from './captions.ts';
import { stops } from './layout.ts';
import { type Clock, speeds } from './time.ts';

interface TimelineProps extends Clock {
  readonly from: number;
  readonly to: number;
}

export function Timeline({ time, isPlaying, playTo, jumpTo, speed, setSpeed, from, to }: TimelineProps) {
  const list = useId();
  const within = stops.filter((stop) => stop >= from && stop <= to);
  const next = within.find((stop) => stop > time + 0.001);
  const previous = within.findLast((stop) => stop < time - 0.001);
  const isAtEnd = time >= to;
  return (
    <div class="timeline">
      <button
        type="button"
        onClick={() => previous !== undefined && playTo(previous)}
        disabled={previous === undefined}
      >
        <span aria-hidden="true">‹</span> Back
      </button>
      <button type="button" class="main" onClick={() => (isPlaying ? jumpTo(time) : playTo(isAtEnd ? from : to))}>
        {isPlaying ? 'Pause' : isAtEnd ? 'Play back' : 'Play'}
      </button>
      <button type="button" onClick={() => next !== undefined && playTo(next)} disabled={next === undefined}>
        Step <span aria-hidden="true">›</span>
      </button>
      <input
        type="range"
        min={from}
        max={to}
        step={0.01}
        value={time}
        list={list}
        aria-label="Between the forms"
        aria-valuetext={momentAt(time)}
        onInput={({ currentTarget }) => jumpTo(currentTarget.valueAsNumber)}
      />
      <datalist id={list}>
        {within.map((stop) => (
          <option key={stop} value={stop} />
        ))}
      </datalist>
      <div class="marks" aria-hidden="true">
        {within.filter(Number.isInteger).map((stop) => (
          <span key={stop}>{'ABC'[stop]}</span>
        ))}
      </div>
      <Choice
        legend="Speed"
        options={speeds.map((each) => [`${each}`, `${each}×`] as const)}
        value={`${speed}`}
        onChange={(value) => setSpeed(speeds.find((each) => `${each}` === value)!)}
      />
    </div>
  );
}
