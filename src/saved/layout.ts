/**
 * A model's weights as one safetensors file under the names of another code base, and for timm the `config.json` of its
 * hub beside it. The file carries the model's description too, so that this package opens it again as it was.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultClassNames } from '../catalog/class-names.ts';
import { writeHubConfig } from '../checkpoints/hub-config.ts';
import { writeStateDict } from '../checkpoints/write.ts';
import { UsageError } from '../errors.ts';
import { makeFolder, writeFileAtomically } from '../files.ts';
import { resnext } from '../model/resnext.ts';
import { writeSafetensorsFile } from '../weights/files.ts';
import { descriptionKey, writeDescription } from './description.ts';
import { ownWeights } from './external.ts';
import type { SavedModel } from './model.ts';

/**
 * Writes a state dict in form C; with the layout `timm` also `config.json` in the same folder.
 *
 * @param layout one of `layoutNames`.
 * @returns the path of the `config.json` that was written, if one was.
 * @throws UsageError for a model without weights of its own, a net that the code base has no names for or cannot make,
 *   a `config.json` in the way that is not the hub's, or when the file system refuses.
 * @example await exportStateDict('cats/model.safetensors', await loadModel('runs/cats'), 'timm');
 */
export async function exportStateDict(path: string, model: SavedModel, layout: string): Promise<{ config?: string }> {
  const weights = ownWeights(model);
  const { description } = model;
  const { config, variant, preprocessing, classes } = description;
  const named = `${classes}` === `${defaultClassNames(classes.length)}` ? [] : classes;
  const tensors = writeStateDict(resnext({ ...config, form: 'C' }), weights, layout);
  const hub = layout === 'timm' ? writeHubConfig(config, variant, preprocessing, named) : undefined;
  const hubPath = join(dirname(path), 'config.json');
  if (hub && existsSync(hubPath) && !readFileSync(hubPath, 'utf8').includes('"pretrained_cfg"')) {
    throw new UsageError(`"${hubPath}" is in the way and is not timm's. Write into another folder.`);
  }
  await makeFolder(dirname(path));
  const metadata = new Map([
    ['format', 'pt'],
    [descriptionKey, writeDescription(description)],
  ]);
  await writeSafetensorsFile(path, tensors, metadata);
  if (!hub) return {};
  await writeFileAtomically(hubPath, hub);
  return { config: hubPath };
}
