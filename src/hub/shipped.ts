/** Finds the models that ship with this package, in its own folder `models`. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defaultModel, lookUpShipped, type ShippedModel } from '../catalog/shipped.ts';
import { UsageError } from '../errors.ts';

/**
 * The weights file of a shipped model.
 *
 * @throws UsageError if the installed package lacks it.
 */
export function shippedFile({ name }: ShippedModel): string {
  const path = fileURLToPath(new URL(`../../models/${name}/model.safetensors`, import.meta.url));
  if (existsSync(path)) return path;
  throw new UsageError(
    `The model ${name} ships with this package, but the file "${path}" is missing. Install the package again.`,
  );
}

/** The weights file of the default model, whatever else has its name. */
export const defaultModelFile = (): string => shippedFile(lookUpShipped(defaultModel)!);
