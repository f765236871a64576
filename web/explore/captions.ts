/** What happens at each moment between the forms, in words. */
import type { Shape } from './layout.ts';

export interface Caption {
  readonly title: string;
  readonly text: string;
  readonly formula?: string;
}

/** The moment in a few words, for those who hear the slider. */
export function momentAt(time: number): string {
  if (time === 0) return 'form A';
  if (time === 1) return 'form B';
  if (time === 2) return 'form C';
  const step = time <= 0.5 ? 'filters slide together' : time < 1 ? 'the sum moves inside' : undefined;
  if (step) return `between A and B, ${step}`;
  return `between B and C, ${time <= 1.5 ? 'filters move to the diagonal' : 'filters of the same input join'}`;
}

export function captionAt(shape: Shape, time: number): Caption {
  const { cardinality: count, splitWidth, branchWidth, input, output } = shape;
  const [before, after] = [count * splitWidth, count * branchWidth];
  if (count === 1) {
    return {
      title: 'One branch',
      text: 'With a cardinality of 1, the three forms are one and the same: a plain bottleneck, as in ResNet. Raise the cardinality to take it apart.',
    };
  }
  if (time === 0) {
    return {
      title: 'Form A: add the branches',
      text: `${count} branches read the same ${input} channels. Each splits off ${splitWidth}, transforms them with a 3×3, and brings them back to ${output}. The ${count} results are added.`,
      formula: 'y = Σ wᵢ · zᵢ',
    };
  }
  if (time <= 0.5) {
    return {
      title: 'Slide together',
      text: `The ${count} maps of ${branchWidth} channels move next to one another, and so do the ${count} filters that read them. Nothing is computed differently yet: ${count} products, then a sum.`,
      formula: 'a·x + b·y',
    };
  }
  if (time < 1) {
    return {
      title: 'The sum moves inside',
      text: `A filter adds up its products anyway. Whether it adds ${count} sums of ${branchWidth}, or ${after} products at once, the result is the same number.`,
      formula: 'a·x + b·y = (a, b)·(x, y)',
    };
  }
  if (time === 1) {
    return {
      title: 'Form B: concatenate, then convolve once',
      text: `The ${count} maps are concatenated to ${after} channels, and one 1×1 brings them to ${output}. It looks like an Inception block whose branches are all alike.`,
      formula: 'y = [w₁ w₂ …] · (z₁, z₂, …)',
    };
  }
  if (time <= 1.5) {
    return {
      title: 'Concatenate earlier',
      text: `The maps before the 3×3 move together too. Its ${count} small filters become the blocks on the diagonal of one ${after} × ${before} matrix: a convolution in ${count} groups. What is off the diagonal is not zero, it is not there.`,
    };
  }
  if (time < 2) {
    return {
      title: 'The same input',
      text: `All ${count} first convolutions read the same ${input} channels. To stack their filters is enough: ${count} times ${input} → ${splitWidth} is once ${input} → ${before}.`,
    };
  }
  return {
    title: 'Form C: a grouped convolution',
    text: `Three convolutions are left, the middle one in ${count} groups. This is the form that every library runs, and these are the same filters that form A had.`,
    formula: `1×1 → 3×3 in ${count} groups → 1×1`,
  };
}
