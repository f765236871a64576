/** `resnext pull`: downloads weights into the cache and prints their path, accuracy and license. */
import { stat } from 'node:fs/promises';
import { isCommercial, type PublishedWeights } from '../../catalog/entry.ts';
import { pull } from '../../hub/pull.ts';
import type { OptionsOf } from '../../options.ts';
import { short } from '../../output/text.ts';
import { progressOn } from '../model.ts';
import type { pullOptions } from '../options/models.ts';
import type { Output } from '../output.ts';

export async function run({ names, offline }: OptionsOf<typeof pullOptions>, output: Output): Promise<number> {
  for (const name of names) {
    const { path, config, entry, shipped } = await pull(name, {
      onProgress: progressOn(output),
      ...(offline && { offline }),
    });
    const { size: bytes } = await stat(path);
    output.document(
      {
        name: entry?.name ?? name,
        path,
        bytes,
        ...(config && { config }),
        ...(entry && { entry }),
        ...(shipped && { shipped }),
      },
      false,
    );
    output.line(path);
    if (shipped) output.line(`  ${shipped.name} ships with this package and needs no download: ${shipped.summary}`);
    for (const line of entry ? remarksOn(entry) : []) output.line(`  ${line}`);
  }
  return 0;
}

function remarksOn(entry: PublishedWeights): string[] {
  const { name, parameters, labels, metrics, preprocessing, license, recipe } = entry;
  const { resize, size, interpolation } = preprocessing;
  const measured = metrics.map((metric) => {
    const top5 = metric.top5 === undefined ? '' : `, top-5 ${metric.top5.toFixed(2)} %`;
    return `top-1 ${metric.top1.toFixed(2)} %${top5} at ${metric.size} pixels`;
  });
  const terms = isCommercial(entry) ? license : `${license}: not for commercial use`;
  return [
    `${name}, ${short(parameters)} parameters, ${labels}`,
    ...measured,
    `preprocessing: resize the shorter side to ${resize} (${interpolation}), crop the center ${size} x ${size}`,
    `license: ${terms}`,
    `recipe: ${recipe}`,
  ];
}
