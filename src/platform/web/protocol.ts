/** What a page and the worker of one of its sessions send each other. */
import type { Tensor } from '../../tensor.ts';
import type { SessionOptions, WasmPaths } from '../contract.ts';

/** What a model calls the files of its large tensors, which are passed beside it: `weights.0` and so on. */
export const dataLocation = 'weights';

export type NamedTensor = readonly [name: string, tensor: Tensor];

/** A model as ONNX Runtime takes it: the bytes of a file, or its URL, and the weights beside it. */
export interface Opening {
  readonly model: Uint8Array | string;
  readonly data: readonly Uint8Array[];
  readonly threads: number;
  readonly providers: readonly string[];
  readonly optimization: NonNullable<SessionOptions['optimization']>;
  readonly wasmPaths: WasmPaths | undefined;
}

/** What a page may ask, with what it asks about and what it is answered. */
export interface Requests {
  readonly open: readonly [
    asked: Opening,
    answer: { readonly inputNames: readonly string[]; readonly outputNames: readonly string[] },
  ];
  readonly run: readonly [
    asked: { readonly feeds: readonly NamedTensor[]; readonly fetches: readonly string[] },
    answer: readonly NamedTensor[],
  ];
}

export type Kind = keyof Requests;

export type Request = {
  readonly [K in Kind]: { readonly id: number; readonly kind: K; readonly asked: Requests[K][0] };
}[Kind];

export type Reply =
  | { readonly id: number; readonly answer: Requests[Kind][1] }
  | { readonly id: number; readonly error: string };
