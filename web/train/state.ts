/** The state of Train in the address. Pictures and models are stored in the browser instead. */
import type { Fields } from '../address.ts';
import { type Provider, providers } from '../classify/providers.ts';
import type { Cell } from './results.tsx';

export interface TrainState {
  /** Of the whole network. */
  readonly epochs: number;
  readonly provider: Provider;
  /** The cell of the confusion matrix whose pictures are shown. */
  readonly cell: Cell | undefined;
}

const initial: TrainState = { epochs: 10, provider: 'wasm', cell: undefined };

export function readState({ epochs = '', on, cell = '' }: Fields): TrainState {
  const found = /^(\d{1,4})\.(\d{1,4})$/.exec(cell);
  return {
    epochs: /^\d{1,3}$/.test(epochs) ? Number(epochs) : initial.epochs,
    provider: providers.find((name) => name === on) ?? initial.provider,
    cell: found ? [Number(found[1]), Number(found[2])] : undefined,
  };
}

export function writeState({ epochs, provider, cell }: TrainState): Fields {
  return {
    ...(epochs !== initial.epochs && { epochs: `${epochs}` }),
    ...(provider !== initial.provider && { on: provider }),
    ...(cell && { cell: cell.join('.') }),
  };
}
