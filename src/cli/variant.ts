/** A named variant with what the options `--form`, `--shortcut`, `--classes` and `--size` change in it. */
import type { Form, ResNeXtOptions, Shortcut } from '../model/config.ts';
import { variant } from '../model/variants.ts';

export interface VariantOptions {
  readonly form?: Form | undefined;
  readonly shortcut?: Shortcut;
  readonly classes?: number;
  /** Height and width of the input. */
  readonly size?: number;
}

/**
 * The options of the net that a variant's name stands for, in form C unless said.
 *
 * @throws UsageError for a name that is no variant.
 */
export function variantOptions(name: string, options: VariantOptions = {}): ResNeXtOptions {
  const { form = 'C', shortcut, classes, size } = options;
  return {
    ...variant(name),
    form,
    ...(shortcut !== undefined && { shortcut }),
    ...(classes !== undefined && { classes }),
    ...(size !== undefined && { inputSize: size }),
  };
}
