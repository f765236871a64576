/**
 * Exports a model's weights as one safetensors file in the naming scheme of another code base, with the hub's
 * `config.json` for timm. The file also contains the model's description, so this package can restore it exactly.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkArgument, path as pathKind } from '../arguments.ts';
import { defaultClassNames } from '../catalog/class-names.ts';
import { writeHubConfig } from '../checkpoints/hub-config.ts';
import { writeStateDict } from '../checkpoints/write.ts';
import { UsageError } from '../errors.ts';
import { readable, writeFileAtomically } from '../files.ts';
import { resnext } from '../model/resnext.ts';
import { writeSafetensorsFile } from '../weights/files.ts';
import { weightsMetadata } from './description.ts';
import { ownWeights } from './external.ts';
import { type SavedModel, savedModelKind } from './model.ts';

/**
 * Writes a state dict in form C and, for the layout `timm`, a `config.json` in the same folder.
 *
 * @param layout one of `layoutNames`.
 * @returns the path of the `config.json`, if one was written.
 * @throws UsageError if the model has no separate weights, the code base has no names for the network or cannot build
 *   it, another program's `config.json` exists, or a file cannot be written.
 * @example await exportStateDict('cats/model.safetensors', await loadModel('runs/cats'), 'timm');
 */
export async function exportStateDict(path: string, model: SavedModel, layout: string): Promise<{ config?: string }> {
  checkArgument('path', path, pathKind);
  checkArgument('model', model, savedModelKind);
  const weights = ownWeights(model);
  const { description } = model;
  const { config, variant, preprocessing, classes } = description;
  const named = `${classes}` === `${defaultClassNames(classes.length)}` ? [] : classes;
  const tensors = writeStateDict(resnext({ ...config, form: 'C' }), weights, layout);
  const hub = layout === 'timm' ? writeHubConfig(config, variant, preprocessing, named) : undefined;
  const hubPath = join(dirname(path), 'config.json');
  if (hub && existsSync(hubPath) && !readFileSync(readable(hubPath), 'utf8').includes('"pretrained_cfg"')) {
    throw new UsageError(`"${hubPath}" exists and is not timm's. Export to another folder.`);
  }
  await writeSafetensorsFile(path, tensors, weightsMetadata(description));
  if (!hub) return {};
  await writeFileAtomically(hubPath, hub);
  return { config: hubPath };
}
