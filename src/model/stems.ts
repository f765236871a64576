/** The stems as rows of data: whatever depends on a network's stem, but for its layers (`stem.ts`), reads it here. */

interface StemRow {
  /** What it was made for. The usual preprocessing and augmentation go by it. */
  readonly images: 'small' | 'large';
  /** The usual height and width of the input. */
  readonly inputSize: number;
  /** The input's height over that of the map that the first stage sees. */
  readonly stride: 1 | 4;
  readonly hasPool: boolean;
  /** The batch for which a learning rate of 0.1 is usual (paper, sections 4 and 5.3). */
  readonly referenceBatch: number;
  /** What a variant's name has after the depth. */
  readonly mark: '' | 'd' | 't';
}

const large = { images: 'large', inputSize: 224, stride: 4, hasPool: true, referenceBatch: 256 } as const;

/** Every stem, by its name in a config, and what goes with it. */
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
