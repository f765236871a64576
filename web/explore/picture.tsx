/** A grouped convolution of a picture, group by group: each group reads its own two maps and nothing else. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { tensor } from 'resnext/graph';
import { useReducedMotion } from '../controls/motion.ts';
import cat from './cat.jpg';
import { type FeatureMap, first, firstMaps, groupMap, groups, perGroup, second } from './filters.ts';

/** Height and width of the maps. */
const side = 96;
/** Milliseconds from one group to the next. */
const pace = 900;

const places = Array.from({ length: groups }, (_, g) => g);

export function Picture() {
  const [source, setSource] = useState<string | Blob>(cat);
  const [colors, problem] = useColors(source);
  const seen = useMemo(() => colors && firstMaps(colors), [colors]);
  const [off, setOff] = useState<ReadonlySet<number>>(new Set());
  const [done, play] = useSteps();
  const maps = useMemo(
    () => seen?.map((map, c) => (off.has(c) ? { ...map, values: map.values.map(() => 0) } : map)),
    [seen, off],
  );
  const toggle = (channel: number) => {
    const next = new Set(off);
    if (!next.delete(channel)) next.add(channel);
    setOff(next);
  };
  return (
    <figure class="picture">
      <div class="source">
        <ColorCanvas colors={colors} />
        <div>
          <p>
            An ordinary 3×3 makes eight maps of the picture; each of its filters reads all three colors. Then comes the
            grouped one: 8 → 4 channels in 4 groups.
          </p>
          <div class="line">
            <button type="button" class="main" onClick={play}>
              Group by group
            </button>
            <label class="file">
              <span>Your own picture</span>
              <input
                type="file"
                accept="image/*"
                onChange={({ currentTarget }) => currentTarget.files?.[0] && setSource(currentTarget.files[0])}
              />
            </label>
          </div>
          {problem && (
            <p class="problem" role="alert">
              {problem}
            </p>
          )}
          <p class="small">
            A picture of yours stays in this page.{' '}
            {source === cat && 'The cat is Chelsea, by Stéfan van der Walt, CC0.'}
          </p>
        </div>
      </div>
      <div class="groups">
        {places.map((g) => (
          <Group
            key={g}
            group={g}
            maps={maps}
            off={off}
            isDone={g < done}
            isNow={g === done - 1 && done < groups}
            onToggle={toggle}
          />
        ))}
      </div>
      <figcaption>
        <p>
          Switch a map off: only the output of its own group changes. Nothing crosses from one group to another; that is
          what the 1×1 convolutions before and after are for. Orange is above zero, blue below.
        </p>
      </figcaption>
    </figure>
  );
}

interface GroupProps {
  readonly group: number;
  readonly maps: readonly FeatureMap[] | undefined;
  readonly off: ReadonlySet<number>;
  readonly isDone: boolean;
  readonly isNow: boolean;
  readonly onToggle: (channel: number) => void;
}

function Group({ group, maps, off, isDone, isNow, onToggle }: GroupProps) {
  const channels = Array.from({ length: perGroup }, (_, i) => group * perGroup + i);
  const inputs = channels.map((c) => maps?.[c]);
  const output = useMemo(() => (maps && isDone ? groupMap(maps, group) : undefined), [...inputs, isDone]);
  return (
    <section class={isNow ? 'group now' : 'group'} aria-label={`Group ${group + 1}`}>
      <div class="pair">
        {channels.map((c) => (
          <button key={c} type="button" class="map" aria-pressed={!off.has(c)} onClick={() => onToggle(c)}>
            <MapCanvas map={maps?.[c]} />
            <span>{first[c]!.name}</span>
          </button>
        ))}
      </div>
      <div class="kernels" role="img" aria-label={`A filter of ${perGroup} × 3 × 3 weights`}>
        {channels.map((c, i) => (
          <Kernel key={c} weights={second[group]!.slice(9 * i, 9 * (i + 1))} />
        ))}
      </div>
      <div class="map result">
        <MapCanvas map={output} />
        <span>channel {group + 1}</span>
      </div>
    </section>
  );
}

/** Nine weights as squares: orange above zero, blue below. */
function Kernel({ weights }: { readonly weights: readonly number[] }) {
  const largest = Math.max(...second.flat().map(Math.abs));
  return (
    <svg viewBox="0 0 30 30" aria-hidden="true">
      {weights.map((weight, i) => (
        <rect
          key={i}
          x={(i % 3) * 10 + 0.5}
          y={Math.floor(i / 3) * 10 + 0.5}
          width={9}
          height={9}
          class={weight < 0 ? 'below' : 'above'}
          opacity={0.15 + 0.85 * Math.sqrt(Math.abs(weight) / largest)}
        />
      ))}
    </svg>
  );
}

/** Orange and blue, as in the style sheet; zero is transparent, so it has the color of the page in either theme. */
const above = [222, 107, 20];
const below = [38, 132, 200];

function MapCanvas({ map }: { readonly map: FeatureMap | undefined }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = ref.current!.getContext('2d')!;
    context.clearRect(0, 0, side, side);
    if (!map) return;
    const pixels = context.createImageData(map.side, map.side);
    const largest = Math.max(0.05, ...map.values.map(Math.abs));
    for (const [i, value] of map.values.entries()) {
      pixels.data.set(value < 0 ? below : above, 4 * i);
      pixels.data[4 * i + 3] = 255 * Math.abs(value / largest) ** 0.7;
    }
    context.putImageData(pixels, 0, 0);
  }, [map]);
  const range = map && `from ${Math.min(...map.values).toFixed(2)} to ${Math.max(...map.values).toFixed(2)}`;
  return <canvas ref={ref} width={side} height={side} role="img" aria-label={range ?? 'not computed yet'} />;
}

function ColorCanvas({ colors }: { readonly colors: Colors | undefined }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (!colors) return;
    const context = ref.current!.getContext('2d')!;
    const pixels = context.createImageData(side, side);
    const area = side * side;
    for (let i = 0; i < area; i++) {
      const color = [0, 1, 2].map((c) => 255 * (0.5 + colors.data[c * area + i]!));
      pixels.data.set([...color, 255], 4 * i);
    }
    context.putImageData(pixels, 0, 0);
  }, [colors]);
  return <canvas ref={ref} class="photo" width={side} height={side} role="img" aria-label="The picture" />;
}

type Colors = ReturnType<typeof tensor<'float32'>>;

/** The colors of a picture's middle, from −0.5 to 0.5, or why there are none. */
function useColors(source: string | Blob): [Colors | undefined, string | undefined] {
  const [colors, setColors] = useState<Colors>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    let isCurrent = true;
    colorsOf(source).then(
      (found) => {
        if (!isCurrent) return;
        setColors(found);
        setProblem(undefined);
      },
      () =>
        isCurrent && setProblem('This file is not a picture that the browser can read. Choose a JPEG, PNG or WebP.'),
    );
    return () => {
      isCurrent = false;
    };
  }, [source]);
  return [colors, problem];
}

async function colorsOf(source: string | Blob): Promise<Colors> {
  const blob = typeof source === 'string' ? await (await fetch(source)).blob() : source;
  const image = await createImageBitmap(blob);
  const context = new OffscreenCanvas(side, side).getContext('2d')!;
  const edge = Math.min(image.width, image.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, (image.width - edge) / 2, (image.height - edge) / 2, edge, edge, 0, 0, side, side);
  const { data } = context.getImageData(0, 0, side, side);
  const area = side * side;
  const planes = Float32Array.from(
    { length: 3 * area },
    (_, i) => data[4 * (i % area) + Math.floor(i / area)]! / 255 - 0.5,
  );
  return tensor('float32', [1, 3, side, side], planes);
}

/** How many groups are computed: all, or after a start one after the other. */
function useSteps(): [done: number, play: () => void] {
  const isReduced = useReducedMotion();
  const [done, setDone] = useState(groups);
  useEffect(() => {
    if (done >= groups) return;
    const timer = setTimeout(() => setDone(done + 1), isReduced ? pace / 2 : pace);
    return () => clearTimeout(timer);
  }, [done, isReduced]);
  return [done, () => setDone(0)];
}
