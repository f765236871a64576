/** A named variant, changed by the options `--form`, `--shortcut`, `--classes` and `--size`. */
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
 * The network's options for a variant's name and what was typed. The form is C by default.
 *
 * @throws UsageError if the name is not a variant.
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
