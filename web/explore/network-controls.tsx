/** Which network, and which of its blocks. */
import { Choice, StopsSlider } from '../controls/controls.tsx';
import type { BlockChoice } from './block.ts';
import {
  baseWidthStops,
  cardinalityStops,
  depthStops,
  type NameParts,
  nameOf,
  partsOf,
  published,
  stageCount,
  toy,
  usual,
} from './network.ts';

interface Props {
  readonly choice: BlockChoice;
  readonly onChange: (choice: BlockChoice) => void;
  /** Whether all of it is shown at first. */
  readonly isOpen: boolean;
}

export function NetworkControls({ choice, onChange, isOpen }: Props) {
  const { network, stage, position } = choice;
  const parts = partsOf(network);
  const stages = Array.from({ length: stageCount(network) }, (_, i) => i + 1);
  const choose = (name: string) => onChange({ ...choice, network: name, stage: Math.min(stage, stageCount(name)) });
  const set = (changes: Partial<NameParts>) => parts && choose(nameOf({ ...parts, ...changes }));
  const names = published.includes(network) ? published : [network, ...published];
  return (
    <details class="network" open={isOpen}>
      <summary>
        <strong>{network}</strong>, stage {stage}
      </summary>
      <div class="line">
        <label class="select">
          <span>Network</span>
          <select value={network} onChange={({ currentTarget }) => choose(currentTarget.value)}>
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          aria-pressed={network === toy}
          onClick={() => onChange({ network: network === toy ? usual : toy, stage: 1, position: 'later' })}
        >
          Small enough to count
        </button>
      </div>
      <div class="sliders">
        {parts && (
          <>
            <StopsSlider
              label="Cardinality"
              stops={cardinalityStops(parts)}
              value={parts.cardinality}
              format={(c) => (c === 1 ? '1 branch' : `${c} branches`)}
              onChange={(cardinality) => set({ cardinality })}
            />
            <StopsSlider
              label="Base width"
              stops={baseWidthStops(parts)}
              value={parts.baseWidth}
              format={(b) => `${b}d`}
              onChange={(baseWidth) => set({ baseWidth })}
            />
            <StopsSlider
              label="Depth"
              stops={depthStops(network, parts)}
              value={parts.depth}
              format={(d) => `${d} layers`}
              onChange={(depth) => set({ depth })}
            />
          </>
        )}
        <StopsSlider
          label="Stage"
          stops={stages}
          value={stage}
          format={(s) => `${s} of ${stages.length}`}
          onChange={(s) => onChange({ ...choice, stage: s })}
        />
        <Choice
          legend="Block of the stage"
          options={[
            ['first', 'first'],
            ['later', 'others'],
          ]}
          value={position}
          onChange={(next) => onChange({ ...choice, position: next })}
        />
      </div>
    </details>
  );
}
