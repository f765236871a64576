/** Writes a model's weights in the naming scheme of another code base: the tables of `layouts.ts` in reverse. */

import { UsageError } from '../errors.ts';
import type { ResNeXtConfig, ResNeXtOptions } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import { stateDict, type Weights } from '../model/weights.ts';
import { checkGiven, oneOf } from '../options.ts';
import type { Tensor } from '../tensor.ts';
import { type Layout, layouts } from './layouts.ts';
import { reversed, translator } from './names.ts';
import { appliesTo } from './recognize.ts';

/** Names of the layouts that can be written. Torch7's numbers only make sense in its own files. */
export const layoutNames: readonly string[] = [...new Set(layouts.map(({ name }) => name))].filter(
  (name) => name !== 'torch7',
);

/**
 * A model's weights as a state dict in a code base's naming scheme, with `num_batches_tracked`.
 *
 * @param network a model or its config.
 * @param weights in form C.
 * @throws UsageError if the layout is unknown or has no names for such a network.
 * @example await writeSafetensorsFile('cats.safetensors', writeStateDict(model, weights, 'mmpretrain'));
 */
export function writeStateDict(
  network: Model | ResNeXtOptions,
  weights: Weights,
  layout: string,
  batchesTracked = 0,
): Map<string, Tensor> {
  const model = 'parameters' in network ? network : resnext(network);
  checkGiven({ layout: oneOf(layoutNames, { doc: 'naming scheme' }) }, { layout });
  const fitting = layouts.find(
    (known) => known.name === layout && appliesTo(known, model.config) && impliesPooling(known, model.config),
  );
  if (!fitting) {
    const { stem, shortcut, stemPool, antialias } = model.config;
    const kind = `${antialias ? 'an anti-aliased' : 'a'} network with stem "${stem}", stemPool "${stemPool}"`;
    throw new UsageError(`${layout} has no names for ${kind} and shortcut "${shortcut}". Choose another layout.`);
  }
  const translate = translator(reversed(fitting.rules));
  const named = [...stateDict(model, weights, batchesTracked)].map(([name, tensor]): [string, Tensor] => {
    const theirs = translate(name);
    if (theirs === undefined)
      throw new UsageError(`${layout} has no name for "${name}". Try timm, which has names for most networks.`);
    return [theirs, tensor];
  });
  return new Map(named);
}

/** Whether readers of this layout will assume the config's pooling. Only timm has anti-aliased networks. */
function impliesPooling({ name, stemPool = 'max' }: Layout, config: ResNeXtConfig): boolean {
  if (config.antialias && name !== 'timm') return false;
  if (!stems[config.stem].hasPool) return true;
  return config.stemPool === (config.antialias ? 'average' : stemPool);
}
