/** The messages between a page and the worker of a session. */
import type { Tensor } from '../../tensor.ts';
import type { SessionOptions, WasmPaths } from '../contract.ts';

/** The files of large tensors, which are passed next to the model, are called `weights.0` and so on. */
export const dataLocation = 'weights';

export type NamedTensor = readonly [name: string, tensor: Tensor];

/** A model for ONNX Runtime: the bytes of a file, or its URL, and separate weights. */
export interface Opening {
  readonly model: Uint8Array | string;
  readonly data: readonly Uint8Array[];
  readonly threads: number;
  readonly providers: readonly string[];
  readonly optimization: NonNullable<SessionOptions['optimization']>;
  readonly wasmPaths: WasmPaths | undefined;
}

/** The requests of a page, with their arguments and answers. */
export interface Requests {
  readonly open: readonly [
    argument: Opening,
    answer: { readonly inputNames: readonly string[]; readonly outputNames: readonly string[] },
  ];
  readonly run: readonly [
    argument: { readonly feeds: readonly NamedTensor[]; readonly fetches: readonly string[] },
    answer: readonly NamedTensor[],
  ];
}

export type Kind = keyof Requests;

export type Request = {
  readonly [K in Kind]: { readonly id: number; readonly kind: K; readonly argument: Requests[K][0] };
}[Kind];

export type Reply =
  | { readonly id: number; readonly answer: Requests[Kind][1] }
  | { readonly id: number; readonly error: string };
