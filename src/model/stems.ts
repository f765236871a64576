/** The stems as rows of data: everything that depends on a network's stem, except its layers (`stem.ts`). */

interface StemRow {
  /** The images that it is meant for, which determine the default preprocessing and augmentation. */
  readonly images: 'small' | 'large';
  /** Default height and width of the input. */
  readonly inputSize: number;
  /** Ratio of the input's height to that of the stem's output. */
  readonly stride: 1 | 4;
  readonly hasPool: boolean;
  /** The batch size that goes with a learning rate of 0.1 (paper, sections 4 and 5.3). */
  readonly referenceBatch: number;
  /** The letter after the depth in a variant's name. */
  readonly mark: '' | 'd' | 't';
}

const large = { images: 'large', inputSize: 224, stride: 4, hasPool: true, referenceBatch: 256 } as const;

/** All stems by their names in a config, and the values that depend on them. */
export const stems = {
  /** One 7x7 with stride 2, and a pool. */
  imagenet: { ...large, mark: '' },
  /** Three 3x3 of w, w and 2w features, the first with stride 2, and a pool. w is `stemWidth`. */
  deep: { ...large, mark: 'd' },
  /** The same with 3w/4, w and 2w features. */
  tiered: { ...large, mark: 't' },
  /** One 3x3. */
  cifar: { images: 'small', inputSize: 32, stride: 1, hasPool: false, referenceBatch: 128, mark: '' },
} as const satisfies { readonly [name: string]: StemRow };

export type Stem = keyof typeof stems;

export const stemNames = Object.keys(stems) as readonly Stem[];
