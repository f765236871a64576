/** The curves of a training: the loss, and how many of the pictures that were held out are right. */
import type { Epoch } from './progress.ts';

interface Series {
  readonly name: string;
  readonly class: string;
  readonly values: readonly (number | undefined)[];
}

const [width, height, left, bottom] = [360, 170, 44, 24] as const;

export function Curves({ history }: { readonly history: readonly Epoch[] }) {
  const whole = history.findIndex(({ phase }) => phase === 'whole');
  return (
    <div class="curves">
      <Chart
        title="Loss"
        whole={whole}
        top={Math.max(...history.map(({ loss, heldOut }) => Math.max(loss, heldOut?.loss ?? 0)))}
        format={(value) => value.toFixed(2)}
        series={[
          { name: 'in training', class: 'first', values: history.map(({ loss }) => loss) },
          { name: 'held out', class: 'second', values: history.map(({ heldOut }) => heldOut?.loss) },
        ]}
      />
      <Chart
        title="Right, of those held out"
        whole={whole}
        top={100}
        format={(value) => `${Math.round(value)} %`}
        series={[{ name: 'held out', class: 'second', values: history.map(({ heldOut }) => heldOut?.top1) }]}
      />
    </div>
  );
}

interface ChartProps {
  readonly title: string;
  /** The first epoch of the whole network; −1 before it. */
  readonly whole: number;
  readonly top: number;
  readonly format: (value: number) => string;
  readonly series: readonly Series[];
}

function Chart({ title, whole, top, format, series }: ChartProps) {
  const count = series[0]!.values.length;
  const x = (epoch: number) => left + ((width - left - 8) * epoch) / Math.max(1, count - 1);
  const y = (value: number) => 8 + (height - bottom - 8) * (1 - value / (top || 1));
  const known = series.filter(({ values }) => values.some((value) => value !== undefined));
  const summary = known.map(({ name, values }) => `${name} ${format(values.at(-1) ?? 0)}`).join(', ');
  return (
    <figure>
      <figcaption>
        <strong>{title}</strong>
        {known.map((each) => (
          <span key={each.name} class={`key ${each.class}`}>
            {each.name}
          </span>
        ))}
      </figcaption>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`${title} after ${count} epochs: ${summary}`}>
        {[0, top / 2, top].map((value) => (
          <g key={value}>
            <line class="grid" x1={left} x2={width - 8} y1={y(value)} y2={y(value)} />
            <text x={left - 6} y={y(value) + 4} text-anchor="end">
              {format(value)}
            </text>
          </g>
        ))}
        {whole > 0 && <line class="grid phase" x1={x(whole - 0.5)} x2={x(whole - 0.5)} y1={8} y2={height - bottom} />}
        <text x={left} y={height - 6}>
          classifier alone
        </text>
        {whole > 0 && (
          <text x={width - 8} y={height - 6} text-anchor="end">
            whole network
          </text>
        )}
        {known.map(({ name, class: role, values }) => (
          <polyline
            key={name}
            class={role}
            points={values.map((value, i) => (value === undefined ? '' : `${x(i)},${y(value)}`)).join(' ')}
          />
        ))}
      </svg>
    </figure>
  );
}
