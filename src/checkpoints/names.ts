/**
 * Translates tensor names between code bases with pairs of templates. A template is a name's prefix with placeholders
 * for numbers: `features.stage{s}.unit{i+1}.body.conv{j}.conv.` pairs with `layer{s}.{i}.conv{j}.`. A letter is the
 * same number on both sides; `{i+1}` means that this side counts from one more. The rest of the name (`weight`,
 * `running_mean`, …) is the same everywhere. A pair works in both directions.
 */

/** A template of another code base, and the matching one of this package. */
export type Rule = readonly [theirs: string, ours: string];

interface Template {
  readonly expression: RegExp;
  /** The placeholders, in the order of the expression's groups. */
  readonly letters: readonly { readonly letter: string; readonly offset: number }[];
  readonly text: string;
}

const placeholder = /\{([a-z])([+-]\d+)?\}/g;

/**
 * A function that translates a name with the first rule that matches it, and returns undefined if none does.
 *
 * @example translator([['block{i+1}.', 'layer{i}.']])('block3.weight') // 'layer2.weight'
 */
export function translator(rules: readonly Rule[]): (name: string) => string | undefined {
  const pairs = rules.map(([from, to]) => ({ from: compile(from), to: compile(to) }));
  return (name) => {
    for (const { from, to } of pairs) {
      const match = from.expression.exec(name);
      const numbers = match && numbersOf(from, match);
      const translated = numbers && fill(to, numbers, match.at(-1)!);
      if (translated) return translated;
    }
    return undefined;
  };
}

/** The same rules in the other direction. */
export const reversed = (rules: readonly Rule[]): Rule[] => rules.map(([theirs, ours]) => [ours, theirs]);

function compile(text: string): Template {
  const letters = Array.from(text.matchAll(placeholder), ([, letter, offset]) => {
    return { letter: letter!, offset: Number(offset ?? 0) };
  });
  const literals = text.split(/\{[^}]*\}/).map((part) => part.replaceAll('.', '\\.'));
  return { expression: new RegExp(`^${literals.join('(0|[1-9]\\d{0,5})')}([^.]+)$`), letters, text };
}

/** The letters' numbers, or undefined if a letter has two different values or a negative one. */
function numbersOf({ letters }: Template, match: RegExpExecArray): Map<string, number> | undefined {
  const numbers = new Map<string, number>();
  for (const [n, { letter, offset }] of letters.entries()) {
    const value = Number(match[n + 1]) - offset;
    if (value < 0 || (numbers.get(letter) ?? value) !== value) return undefined;
    numbers.set(letter, value);
  }
  return numbers;
}

/** The template filled with numbers, or undefined if one would be negative. */
function fill({ text }: Template, numbers: ReadonlyMap<string, number>, tensorName: string): string | undefined {
  const filled = text.replaceAll(placeholder, (_, letter: string, offset = '0') => {
    return String(numbers.get(letter)! + Number(offset));
  });
  return filled.includes('-') ? undefined : filled + tensorName;
}
