/**
 * A block at a moment between the forms. A channel can be picked with the pointer or the arrow keys; everything that does
 * not reach it is dimmed.
 */
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Block } from './block.ts';
import { type Box, type Frame, frameAt, type Geometry, geometryOf, type Row, rows, type Shape } from './layout.ts';
import { branchOf, channelsOf, layerOf, type Pick, reaches } from './reach.ts';
import type { Shades } from './shades.ts';

interface DrawingProps {
  readonly block: Block;
  readonly time: number;
  readonly pick: Pick | undefined;
  /** Called with the channel under the pointer, and with undefined when it leaves. */
  readonly onHover: (pick: Pick | undefined) => void;
  /** Called with the channel that is chosen to stay picked. */
  readonly onPin: (pick: Pick | undefined) => void;
  /** What the drawing shows, for those who do not see it. */
  readonly label: string;
  readonly describedBy: string;
  /** Shades of the weights, if there are few enough to draw. */
  readonly shades?: Shades | undefined;
}

export function Drawing({ block, time, pick, onHover, onPin, label, describedBy, shades }: DrawingProps) {
  const [frameRef, width] = useWidth();
  const geometry = useMemo(() => geometryOf(block, width), [block, width]);
  const frame = frameAt(geometry, time);
  const at = ({ currentTarget, clientX, clientY }: MouseEvent & { readonly currentTarget: SVGSVGElement }) => {
    const { left, top } = currentTarget.getBoundingClientRect();
    return pickAt(geometry, frame, clientX - left, clientY - top);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms
    <div
      ref={frameRef}
      class="drawing"
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: its keys pick a channel
      tabIndex={0}
      aria-label={`${label} Arrow keys pick a channel.`}
      aria-describedby={describedBy}
      onKeyDown={(event) => {
        const next = pickByKey(block, pick, event.key);
        if (next === null) return;
        event.preventDefault();
        onPin(next);
      }}
    >
      <svg
        width={width}
        height={geometry.height}
        viewBox={`0 0 ${width} ${geometry.height}`}
        aria-hidden="true"
        onPointerMove={(event) => event.pointerType === 'mouse' && onHover(at(event))}
        onPointerLeave={() => onHover(undefined)}
        onClick={(event) => onPin(at(event))}
      >
        <Square frame={frame} />
        <Shortcut geometry={geometry} block={block} />
        {frame.wires.map(({ key, span, branch, path, opacity }) => (
          <path
            key={key}
            d={path}
            class={`wire ${branch === undefined ? 'all' : ''}`}
            opacity={opacity * (isLit(block, pick, rowAbove[span], branch) ? 1 : 0.12)}
          />
        ))}
        {frame.boxes.map((box) => (
          <BoxView key={box.key} box={box} isLit={isLit(block, pick, box.row, box.branch)} shades={shades} />
        ))}
        {pick && <Trace geometry={geometry} frame={frame} pick={pick} />}
        <Plus x={frame.sum.x} y={frame.sum.y} opacity={frame.sum.opacity} sign="Σ" />
        <Plus x={geometry.center} y={geometry.addTop} opacity={1} sign="+" />
        <Labels geometry={geometry} block={block} time={time} />
      </svg>
    </div>
  );
}

/** The width of an element, in whole pixels; before the first layout, that of a narrow phone. */
export function useWidth(): [{ current: HTMLDivElement | null }, number] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(320);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => setWidth(Math.max(240, Math.floor(element.clientWidth)));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

/** A wire is lit with the row that it comes from. */
const rowAbove = {
  trunk: 'input',
  in: 'split',
  'to map1': 'map1',
  'to 3x3': 'transform',
  'to map2': 'map2',
  out: 'output',
  sum: 'output',
} as const;

function isLit(shape: Shape, pick: Pick | undefined, row: Row, branch: number | undefined): boolean {
  if (!pick || (row === 'split' && branch === undefined)) return true;
  return reaches(shape, pick, row, branch);
}

function BoxView({
  box,
  isLit,
  shades,
}: {
  readonly box: Box;
  readonly isLit: boolean;
  readonly shades: Shades | undefined;
}) {
  const { key, row, branch, x, y, width, height } = box;
  const cells = branch === undefined ? undefined : shades?.[row]?.[branch];
  const tint = branch !== undefined && branch % 2 === 1 ? 'odd' : '';
  const radius = row === 'transform' ? Math.min(4, width / 4, height / 4) : Math.min(1.5, width / 4);
  return (
    <g
      key={key}
      class={`box ${row} ${tint} ${cells ? 'shaded' : ''}`}
      opacity={isLit ? 1 : 0.14}
      transform={`translate(${x} ${y})`}
    >
      <rect width={Math.max(0.6, width)} height={height} rx={radius} />
      {cells?.map(([column, line, columns, lines, shade]) => (
        <rect
          key={`${column},${line}`}
          class="cell"
          x={(column * width) / columns}
          y={(line * height) / lines}
          width={width / columns - 0.5}
          height={height / lines - 0.5}
          opacity={shade}
        />
      ))}
    </g>
  );
}

/** The one convolution that the small ones are on the diagonal of. */
function Square({ frame: { square } }: { readonly frame: Frame }) {
  const { x, y, width, height, opacity } = square;
  return <rect class="square" x={x} y={y} width={width} height={height} rx={4} opacity={opacity} />;
}

function Plus({
  x,
  y,
  opacity,
  sign,
}: {
  readonly x: number;
  readonly y: number;
  readonly opacity: number;
  readonly sign: string;
}) {
  return (
    <g class="plus" opacity={opacity} transform={`translate(${x} ${y})`}>
      <circle r={10} />
      <text y={4.5} text-anchor="middle">
        {sign}
      </text>
    </g>
  );
}

/** From the input past everything to the addition at the end, with its name in a gap. */
function Shortcut({ geometry, block }: { readonly geometry: Geometry; readonly block: Block }) {
  const { center, right, width, tops, addTop, shape, channel } = geometry;
  const name = block.isIdentity ? 'shortcut: the input itself' : `shortcut: projected to ${block.output} channels`;
  const x = width - 12;
  const start = Math.min(right, center + (shape.input * channel) / 2);
  const y = tops.input + 3.5;
  const middle = (y + addTop) / 2;
  const gap = 3.1 * name.length + 8;
  return (
    <g class="shortcut">
      <path d={`M${start} ${y}H${x - 8}Q${x} ${y} ${x} ${y + 8}V${middle - gap}`} />
      <path d={`M${x} ${middle + gap}V${addTop - 8}Q${x} ${addTop} ${x - 8} ${addTop}H${center + 10}`} />
      <path d={`M${center} ${addTop + 10}V${tops.output}`} class="wire all" />
      <text class="small" transform={`translate(${x - 4} ${middle}) rotate(90)`} text-anchor="middle">
        {name}
      </text>
    </g>
  );
}

/** The picked filter and the channel that it computes, as strips across their boxes. */
function Trace({ geometry, frame, pick }: { readonly geometry: Geometry; readonly frame: Frame; readonly pick: Pick }) {
  const { shape } = geometry;
  const branch = branchOf(shape, pick);
  const { layer, channel } = pick;
  const strips: JSX.Element[] = [];
  for (const box of frame.boxes) {
    if (layerOf(box.row) !== layer || box.branch !== (box.row === 'output' || layer < 3 ? branch : box.branch))
      continue;
    const isAcross = box.row === 'transform' || box.row === 'merge';
    const first = (branch ?? 0) * (layer === 1 ? shape.splitWidth : shape.branchWidth);
    const count = layer === 3 ? shape.output : layer === 1 ? shape.splitWidth : shape.branchWidth;
    strips.push(
      <Strip key={box.key} box={box} share={(channel - first) / count} size={1 / count} isAcross={isAcross} />,
    );
  }
  return <g class="trace">{strips}</g>;
}

function Strip({ box, share, size, isAcross }: { box: Box; share: number; size: number; isAcross: boolean }) {
  const length = isAcross ? box.height : box.width;
  const thickness = Math.max(1.6, length * size);
  const start = Math.min(length - thickness, length * share + (length * size - thickness) / 2);
  return isAcross ? (
    <rect x={box.x - 1} y={box.y + start} width={box.width + 2} height={thickness} />
  ) : (
    <rect x={box.x + start} y={box.y - 1} width={thickness} height={box.height + 2} />
  );
}

function Labels({
  geometry,
  block,
  time,
}: {
  readonly geometry: Geometry;
  readonly block: Block;
  readonly time: number;
}) {
  const { tops, heights, left } = geometry;
  const isBeside = left > 20;
  return (
    <g class="labels">
      {labelsOf(block, time, isBeside).map(({ row, title, lines }) => {
        // Without a column, labels are above their rows, but clear of the wires that part and of the map on the last 1x1.
        const above = row === 'split' ? tops.input + 26 : tops[row === 'merge' ? 'map2' : row] - 8;
        const top = isBeside ? tops[row] + heights[row] / 2 - 8 * lines.length + 4.5 : above;
        return (
          <text key={row} x={0} y={top} class={row}>
            <tspan class="title">{title}</tspan>
            {lines.map((line) =>
              isBeside ? (
                <tspan key={line} x={0} dy="16">
                  {line}
                </tspan>
              ) : (
                <tspan key={line}>{` · ${line}`}</tspan>
              ),
            )}
          </text>
        );
      })}
      <text class="small" x={geometry.center - 18} y={geometry.addTop + 4.5} text-anchor="end">
        {block.hasAttention ? 'BN, scale, add, ReLU' : 'BN, add, ReLU'}
      </text>
    </g>
  );
}

interface Label {
  readonly row: Row;
  readonly title: string;
  readonly lines: readonly string[];
}

/** What each row is at a time: the shapes of the convolutions change where they become one. */
export function labelsOf(block: Block, time: number, isLong = true): Label[] {
  const { cardinality: count, splitWidth, branchWidth, input, output, inputSize, outputSize } = block;
  const stride = outputSize < inputSize ? ', stride 2' : '';
  const size = (side: number) => (isLong ? `${side} × ${side}` : `${side}²`);
  const layer = (row: Row, kernel: string, one: [number, number], isOne: boolean, after: string): Label => {
    const [from, to] = isOne ? all(row, one) : one;
    const groups = isOne && row === 'transform' && count > 1 ? `in ${count} groups` : '';
    const title = isOne || count === 1 ? kernel : `${count} of ${kernel}`;
    const lines = [`${from} → ${to}${row === 'transform' ? stride : ''}`, ...(groups ? [groups] : [])];
    return { row, title, lines: isLong && after ? [...lines, after] : lines };
  };
  const all = (row: Row, [from, to]: [number, number]): [number, number] => {
    if (row === 'split') return [from, to * count];
    return row === 'merge' ? [from * count, to] : [from * count, to * count];
  };
  return [
    { row: 'input', title: isLong ? 'input' : 'Input', lines: [`${input} of ${size(inputSize)}`] },
    layer('split', '1×1', [input, splitWidth], time >= 2, 'BN, ReLU'),
    layer('transform', '3×3', [splitWidth, branchWidth], time >= 1.5, 'BN, ReLU'),
    layer('merge', '1×1', [branchWidth, output], time >= 1, ''),
    { row: 'output', title: isLong ? 'output' : 'Output', lines: [`${output} of ${size(outputSize)}`] },
  ];
}

/** The channel at a point: that of the row at this height, or the closest. */
export function pickAt({ shape, tops, heights }: Geometry, { boxes }: Frame, x: number, y: number): Pick | undefined {
  const distance = (row: Row) => Math.max(tops[row] - y, y - tops[row] - heights[row], 0);
  const row = rows.reduce((best, candidate) => (distance(candidate) < distance(best) ? candidate : best));
  const layer = layerOf(row);
  if (!layer || distance(row) > 14) return undefined;
  const candidates = boxes.filter((box) => box.row === row);
  const away = (box: Box) =>
    Math.max(box.x - x, x - box.x - box.width, 0) +
    (row === 'transform' ? Math.max(box.y - y, y - box.y - box.height, 0) : 0);
  const box = candidates.reduce((best, candidate) => (away(candidate) < away(best) ? candidate : best));
  if (away(box) > 24 && row !== 'transform') return undefined;
  const share = row === 'transform' || row === 'merge' ? (y - box.y) / box.height : (x - box.x) / box.width;
  const count = channelsOf(shape, layer) / (layer === 3 ? 1 : shape.cardinality);
  const within = Math.min(count - 1, Math.max(0, Math.floor(share * count)));
  return { layer, channel: layer === 3 ? within : box.branch! * count + within };
}

/** The channel after a key; undefined for none, null if the key has no meaning here. */
export function pickByKey(shape: Shape, pick: Pick | undefined, key: string): Pick | undefined | null {
  if (key === 'Escape') return pick ? undefined : null;
  const { layer, channel } = pick ?? { layer: 2 as const, channel: -1 };
  const count = channelsOf(shape, layer);
  const branch = layer === 3 ? 16 : count / shape.cardinality;
  const move = (to: number): Pick => ({ layer, channel: Math.min(count - 1, Math.max(0, to)) });
  const change = (to: number): Pick | null => {
    if (to < 1 || to > 3) return null;
    const next = to as Pick['layer'];
    const share = Math.max(0, channel) / count;
    return { layer: next, channel: Math.floor(share * channelsOf(shape, next)) };
  };
  switch (key) {
    case 'ArrowLeft':
      return move(channel - 1);
    case 'ArrowRight':
      return move(channel + 1);
    case 'PageUp':
      return move(channel - branch);
    case 'PageDown':
      return move(channel + branch);
    case 'Home':
      return move(0);
    case 'End':
      return move(count - 1);
    case 'ArrowUp':
      return change(layer - 1);
    case 'ArrowDown':
      return change(layer + 1);
    default:
      return null;
  }
}
