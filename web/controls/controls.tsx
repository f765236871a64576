/** The controls that all parts use: native elements with their labels. */
import { useId } from 'preact/hooks';

interface StopsProps {
  readonly label: string;
  /** The values, from left to right. */
  readonly stops: readonly number[];
  readonly value: number;
  /** The value in words. */
  readonly format?: (value: number) => string;
  readonly onChange: (value: number) => void;
  readonly isDisabled?: boolean;
}

/** A slider over a list of values. */
export function StopsSlider({ label, stops, value, format = String, onChange, isDisabled = false }: StopsProps) {
  const id = useId();
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <output for={id}>{format(value)}</output>
      <input
        id={id}
        type="range"
        min={0}
        max={stops.length - 1}
        value={Math.max(0, stops.indexOf(value))}
        aria-valuetext={format(value)}
        disabled={isDisabled || stops.length < 2}
        onInput={({ currentTarget }) => onChange(stops[currentTarget.valueAsNumber]!)}
      />
    </div>
  );
}

interface ChoiceProps<T extends string> {
  readonly legend: string;
  readonly isLegendHidden?: boolean;
  readonly options: readonly (readonly [value: T, text: string])[];
  readonly value: T | undefined;
  readonly onChange: (value: T) => void;
}

/** Radio buttons in a row. */
export function Choice<T extends string>({ legend, isLegendHidden = false, options, value, onChange }: ChoiceProps<T>) {
  const name = useId();
  return (
    <fieldset class="choice">
      <legend class={isLegendHidden ? 'hidden' : ''}>{legend}</legend>
      <div class="options">
        {options.map(([option, text]) => (
          <label key={option}>
            <input type="radio" name={name} checked={option === value} onChange={() => onChange(option)} />
            <span>{text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

interface NumberProps {
  readonly label: string;
  readonly value: number;
  readonly onChange: (value: number) => void;
  readonly class?: string;
  readonly onFocus?: () => void;
}

/** A small field for one whole number. What cannot be read as a number leaves the value as it is. */
export function NumberCell({ label, value, onChange, class: className = '', onFocus }: NumberProps) {
  return (
    <input
      class={`number-cell ${className}`}
      type="number"
      step={1}
      min={-99}
      max={99}
      value={value}
      aria-label={label}
      {...(onFocus && { onFocus })}
      onInput={({ currentTarget }) => {
        const next = currentTarget.valueAsNumber;
        if (Number.isFinite(next)) onChange(Math.min(99, Math.max(-99, Math.round(next))));
      }}
    />
  );
}
