/**
 * Infers the config of a ResNeXt from the shapes of its tensors, under this package's names. A block with width n,
 * cardinality C and d channels per branch has conv1 [C·d, …, 1, 1], conv2 [C·d, d, 3, 3] and conv3 [4n, C·d, 1, 1],
 * which gives C, d and n. The base width b follows from d = ⌊n·b/64⌋ in all stages; stem, shortcut and attention from
 * which tensors exist. The caller checks that the remaining tensors match the config.
 */
import { FormatError } from '../errors.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import { maxBlocks } from '../model/limits.ts';

/** Everything about the architecture that tensors reveal, which excludes pooling. */
export type InferredConfig = Omit<
  ResNeXtConfig,
  'form' | 'inputSize' | 'outputStride' | 'zeroInitLast' | 'stemPool' | 'antialias'
>;

/**
 * @param shapes dimensions by this package's names.
 * @param subject the source of the tensors, with which messages begin.
 * @throws FormatError if they are not those of a ResNeXt.
 */
export function inferConfig(shapes: ReadonlyMap<string, readonly number[]>, subject: string): InferredConfig {
  return new Inference(shapes, subject).config();
}

class Inference {
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #subject: string;

  constructor(shapes: ReadonlyMap<string, readonly number[]>, subject: string) {
    this.#shapes = shapes;
    this.#subject = subject;
  }

  config(): InferredConfig {
    const depths = this.#depths();
    const width = this.#width();
    const projections = this.#shortcut(depths);
    return {
      depths,
      width,
      ...this.#branches(depths, width),
      ...this.#stem(),
      ...projections,
      attention: this.#attention(),
      classes: this.#shapes.get('fc.weight')?.[0] ?? 0,
    };
  }

  /** Number of blocks in each stage. Their numbers must be consecutive. */
  #depths(): number[] {
    const stages = new Map<number, Set<number>>();
    for (const name of this.#shapes.keys()) {
      const [, stage, block] = /^layer(\d+)\.(\d+)\.conv[123]\.weight$/.exec(name) ?? [];
      if (stage === undefined) continue;
      const blocks = stages.get(Number(stage)) ?? new Set();
      stages.set(Number(stage), blocks.add(Number(block)));
    }
    const total = [...stages.values()].reduce((sum, { size }) => sum + size, 0);
    if (total > maxBlocks) this.#refuse(`it has ${total} blocks, but at most ${maxBlocks} are allowed`);
    return Array.from({ length: stages.size }, (_, s) => {
      const blocks = stages.get(s + 1);
      if (!blocks) return this.#refuse(`it has ${stages.size} stages, but no number ${s + 1}`);
      const gap = Array.from({ length: blocks.size }, (_, i) => i).find((i) => !blocks.has(i));
      if (gap !== undefined) this.#refuse(`stage ${s + 1} has ${blocks.size} blocks, but no number ${gap}`);
      return blocks.size;
    });
  }

  /** Width n of the first stage. */
  #width(): number {
    if (!this.#shapes.has('layer1.0.conv3.weight') && this.#shapes.has('layer1.0.conv2.weight')) {
      this.#refuse('its blocks have two convolutions, as in ResNet-18 and ResNet-34, but expected three');
    }
    const [output] = this.#filter('layer1.0.conv3.weight');
    if (output % 4 !== 0) this.#refuse(`its first stage has ${output} output channels, but expected a multiple of 4`);
    return output / 4;
  }

  #branches(
    depths: readonly number[],
    width: number,
  ): Pick<ResNeXtConfig, 'cardinality' | 'baseWidth' | 'halvedSplit'> {
    const [split] = this.#filter('layer1.0.conv1.weight');
    const [filters, perGroup, kernel] = this.#filter('layer1.0.conv2.weight');
    if (kernel !== 3) this.#refuse(`the second convolution of its blocks is ${kernel}x${kernel}, but expected 3x3`);
    if (filters !== split && filters !== 2 * split) {
      this.#refuse(
        `the 3x3 convolution of its first block goes from ${split} to ${filters} channels, but expected ${split}`,
      );
    }
    const cardinality = split / perGroup;
    if (!Number.isInteger(cardinality)) {
      this.#refuse(`its first block's ${split} channels cannot be divided into groups of ${perGroup}`);
    }
    const branches = depths.map((_, s) => this.#filter(`layer${s + 1}.0.conv2.weight`)[0] / cardinality);
    return { cardinality, baseWidth: this.#baseWidth(branches, width), halvedSplit: filters !== split };
  }

  /** The smallest b with ⌊n·b/64⌋ = d in every stage. In wide networks it is unique. */
  #baseWidth(branches: readonly number[], width: number): number {
    const least = branches.map((d, s) => Math.ceil((64 * d) / (width * 2 ** s)));
    const baseWidth = Math.max(...least);
    const fits = branches.every((d, s) => Math.floor((width * 2 ** s * baseWidth) / 64) === d);
    if (!fits) this.#refuse(`no base width results in branches of ${branches.join(', ')} channels`);
    return baseWidth;
  }

  #stem(): Pick<ResNeXtConfig, 'stem' | 'stemWidth' | 'inputChannels'> {
    if (this.#shapes.has('conv1.0.weight')) {
      const [first, inputChannels] = this.#filter('conv1.0.weight');
      const [stemWidth] = this.#filter('conv1.3.weight');
      return { stem: first === stemWidth ? 'deep' : 'tiered', stemWidth, inputChannels };
    }
    const [, inputChannels, kernel] = this.#filter('conv1.weight');
    if (kernel !== 7 && kernel !== 3) {
      this.#refuse(`its first convolution is ${kernel}x${kernel}, but expected 7x7, or 3x3 for small images`);
    }
    return { stem: kernel === 7 ? 'imagenet' : 'cifar', stemWidth: 32, inputChannels };
  }

  #shortcut(depths: readonly number[]): Pick<ResNeXtConfig, 'shortcut' | 'shortcutKernel'> {
    const some = (path: string) => depths.some((_, s) => this.#shapes.has(`layer${s + 1}.${path}.weight`));
    if (some('0.downsample.2')) return { shortcut: 'D', shortcutKernel: 1 };
    if (!some('0.downsample.0')) return { shortcut: 'A', shortcutKernel: 1 };
    const second = this.#shapes.get('layer2.0.downsample.0.weight');
    return { shortcut: some('1.downsample.0') ? 'C' : 'B', shortcutKernel: second?.[2] === 3 ? 3 : 1 };
  }

  #attention(): ResNeXtConfig['attention'] {
    if (this.#shapes.has('layer1.0.se.fc1.weight')) return 'se';
    return this.#shapes.has('layer1.0.se.conv.weight') ? 'eca' : 'none';
  }

  /** The number of filters, channels per group and kernel size of a convolution. */
  #filter(name: string): [filters: number, perGroup: number, kernel: number] {
    const dims = this.#shapes.get(name);
    if (!dims) return this.#refuse(`it has no "${name}"`);
    const [filters, perGroup, height, width] = dims;
    if (dims.length !== 4 || height !== width) {
      return this.#refuse(`"${name}" is [${dims}], but expected [filters, channels, kernel, kernel]`);
    }
    return [filters!, perGroup!, height!];
  }

  #refuse(reason: string): never {
    throw new FormatError(`${this.#subject} is not a ResNeXt: ${reason}.`);
  }
}
