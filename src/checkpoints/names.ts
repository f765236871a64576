/**
 * Names of tensors from one code base to another's, by pairs of templates. A template is the beginning of a name with
 * numbers left open: `features.stage{s}.unit{i+1}.body.conv{j}.conv.` stands beside `layer{s}.{i}.conv{j}.`. A letter is
 * the same number on both sides; `{i+1}` says that this side counts from one more. What follows the template is the
 * tensor's own name (`weight`, `running_mean`, …), which everybody shares. A pair is read in either direction.
 */

/** A template of others, and the one of ours that it stands for. */
export type Rule = readonly [theirs: string, ours: string];

interface Template {
  readonly expression: RegExp;
  /** What each number in the expression stands for, in order. */
  readonly letters: readonly { readonly letter: string; readonly offset: number }[];
  readonly text: string;
}

const placeholder = /\{([a-z])([+-]\d+)?\}/g;

/**
 * A function that gives a name's counterpart, by the first rule that knows the name; undefined where none does.
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

/** The letters' numbers; undefined where a letter stands for two, or for less than zero. */
function numbersOf({ letters }: Template, match: RegExpExecArray): Map<string, number> | undefined {
  const numbers = new Map<string, number>();
  for (const [n, { letter, offset }] of letters.entries()) {
    const value = Number(match[n + 1]) - offset;
    if (value < 0 || (numbers.get(letter) ?? value) !== value) return undefined;
    numbers.set(letter, value);
  }
  return numbers;
}

/** The template with its numbers; undefined where one would be less than zero. */
function fill({ text }: Template, numbers: ReadonlyMap<string, number>, tensorName: string): string | undefined {
  const filled = text.replaceAll(placeholder, (_, letter: string, offset = '0') => {
    return String(numbers.get(letter)! + Number(offset));
  });
  return filled.includes('-') ? undefined : filled + tensorName;
}
