/** The moment of an animation: it moves towards a goal, or jumps there if the reader wants little motion. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { useReducedMotion } from '../controls/motion.ts';

/** Seconds from one stop to the next, at speed 1. */
const stepSeconds = 1.5;

/** The speeds that can be chosen. */
export const speeds = [0.5, 1, 2] as const;

export type Speed = (typeof speeds)[number];

/** Where the animation is to be. */
export interface Goal {
  readonly time: number;
}

export interface Clock {
  readonly time: number;
  readonly isPlaying: boolean;
  readonly playTo: (time: number) => void;
  readonly jumpTo: (time: number) => void;
  readonly speed: Speed;
  readonly setSpeed: (speed: Speed) => void;
}

/** @param goal a new object makes it jump to its time. */
export function useTime(goal: Goal, onRest: (time: number) => void): Clock {
  const isReduced = useReducedMotion();
  const [time, setTime] = useState(goal.time);
  const [target, setTarget] = useState<number>();
  const [speed, setSpeed] = useState<Speed>(1);
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
      const way = speed * (passed / stepSeconds) * 0.5;
      const next = Math.abs(left) <= way ? target : now.current + Math.sign(left) * way;
      setTime(next);
      if (next !== target) request = requestAnimationFrame(move);
      else {
        setTarget(undefined);
        rest.current(target);
      }
    });
    return () => cancelAnimationFrame(request);
  }, [target, speed]);

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
    jumpTo(goal.time);
  }, [goal]);
  return { time, isPlaying: target !== undefined, playTo, jumpTo, speed, setSpeed };
}
