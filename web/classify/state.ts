/** The state of Classify in the address. Pictures and models of the reader stay on the machine, so they are not in it. */
import type { Fields } from '../address.ts';
import { type Provider, providers } from './providers.ts';
import { samples } from './samples.ts';

export interface ClassifyState {
  /** The name of a picture to try. */
  readonly sample: string | undefined;
  /** Undefined is the last one. */
  readonly stage: string | undefined;
  /** The class whose regions are shown; undefined is the most likely one. */
  readonly label: string | undefined;
  /** What runs the network; undefined is the fastest. */
  readonly provider: Provider | undefined;
}

export function readState({ picture, stage, class: label, on }: Fields): ClassifyState {
  return {
    sample: picture !== undefined && samples.has(picture) ? picture : undefined,
    stage: /^layer\d$/.test(stage ?? '') ? stage : undefined,
    label,
    provider: providers.find((name) => name === on),
  };
}

export function writeState({ sample, stage, label, provider }: ClassifyState): Fields {
  return {
    ...(sample !== undefined && { picture: sample }),
    ...(stage !== undefined && { stage }),
    ...(label !== undefined && { class: label }),
    ...(provider !== undefined && { on: provider }),
  };
}
