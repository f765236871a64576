/** The maps of a grouped convolution, group by group. A picked group is drawn large. */
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Choice } from '../controls/controls.tsx';
import { whole } from '../controls/numbers.ts';
import type { StageMaps } from './maps.ts';

/** What the darkest pixel of a map stands for: the largest number of the map, or of the stage. */
type Scale = 'map' | 'stage';

interface GroupMapsProps {
  readonly maps: StageMaps;
  /** From 1 on. */
  readonly stage: number;
}

export function GroupMaps({ maps, stage }: GroupMapsProps) {
  const { groups, perGroup, height, width } = maps;
  const [picked, setPicked] = useState(0);
  const [scale, setScale] = useState<Scale>('map');
  const id = useId();
  const group = Math.min(picked, groups - 1);
  return (
    <section class="group-maps">
      <h2>What its groups compute</h2>
      <p>
        The last grouped convolution of stage {stage} has {groups === 1 ? '1 group' : `${groups} groups`} of{' '}
        {whole(perGroup)} maps, {width} × {height} each. A group reads its own {whole(perGroup)} maps of the convolution
        before it, and nothing of the other groups.
      </p>
      <Choice
        legend="Full color is the largest number"
        options={[
          ['map', 'of each map'],
          ['stage', 'of the stage'],
        ]}
        value={scale}
        onChange={setScale}
      />
      <div class="body">
        <figure>
          <GroupCanvas {...{ maps, scale, group }} name={description(maps, group)} />
          <figcaption class="small">{description(maps, group)}</figcaption>
        </figure>
        <fieldset class="group-list">
          <legend class="hidden">Group</legend>
          {Array.from({ length: groups }, (_, g) => (
            <label key={g}>
              <input type="radio" name={id} checked={g === group} onChange={() => setPicked(g)} />
              <GroupCanvas {...{ maps, scale }} group={g} />
              <span>
                <span class="hidden">Group </span>
                {g + 1}
              </span>
            </label>
          ))}
        </fieldset>
      </div>
    </section>
  );
}

function description({ groups, perGroup, largest }: StageMaps, group: number): string {
  const own = [...largest.subarray(group * perGroup, (group + 1) * perGroup)];
  const [peak, silent] = [Math.max(...own), own.filter((value) => value === 0).length];
  const quiet = silent === 0 ? 'all of them answer' : `${silent} of them do not answer at all`;
  return `Group ${group + 1} of ${groups}: maps ${group * perGroup + 1} to ${(group + 1) * perGroup}. The largest number is ${peak.toFixed(2)}; ${quiet}.`;
}

/** The orange of grouped convolutions. Nothing is transparent, so it has the color of the page in either theme. */
const orange = [222, 107, 20] as const;

interface GroupCanvasProps {
  readonly maps: StageMaps;
  readonly group: number;
  readonly scale: Scale;
  readonly name?: string;
}

/** The maps of one group in a square, a pixel for a number, with a pixel between maps. */
function GroupCanvas({ maps, group, scale, name }: GroupCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { perGroup, height, width } = maps;
  const columns = Math.ceil(Math.sqrt(perGroup));
  const rows = Math.ceil(perGroup / columns);
  const [across, down] = [columns * (width + 1) - 1, rows * (height + 1) - 1];
  useEffect(() => {
    const context = canvas.current!.getContext('2d')!;
    const pixels = context.createImageData(across, down);
    const peak = Math.max(...maps.largest);
    for (let m = 0; m < perGroup; m++) {
      const map = group * perGroup + m;
      const factor = scale === 'map' ? 1 : maps.largest[map]! / (peak || 1);
      const [left, top] = [(m % columns) * (width + 1), Math.floor(m / columns) * (height + 1)];
      for (let i = 0; i < width * height; i++) {
        const at = 4 * ((top + Math.floor(i / width)) * across + left + (i % width));
        pixels.data.set(orange, at);
        pixels.data[at + 3] = 18 + (237 / 255) * factor * maps.bytes[map * width * height + i]!;
      }
    }
    context.putImageData(pixels, 0, 0);
  }, [maps, group, scale]);
  return (
    <canvas
      ref={canvas}
      width={across}
      height={down}
      {...(name === undefined ? { 'aria-hidden': true } : { role: 'img', 'aria-label': name })}
    />
  );
}
