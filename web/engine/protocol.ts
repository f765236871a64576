/**
 * What the page asks of its engine, a worker that builds and runs networks. To add a request, add its row here; the
 * compiler then asks for its handler in `handlers.ts`.
 */
import type { Classified, Look, LookChoice, ModelChoice, ModelFacts, Picture } from '../classify/model.ts';
import type { BlockDrawings, BlockPair, OptimizeChoice, Optimized } from '../convert/optimize.ts';
import type { BlockChoice } from '../explore/block.ts';
import type { Proof, ProofStep } from '../explore/proof.ts';
import type { ExportChoice, TrainChoice, TrainStep } from '../train/fine-tune.ts';
import type { Progress } from '../train/progress.ts';

export interface Requests {
  /** Runs a block in its three forms with the same weights. */
  readonly prove: { readonly argument: BlockChoice; readonly progress: ProofStep; readonly answer: Proof };
  /** Opens a model, which the requests after it are about. Its progress is what is done now. */
  readonly openModel: { readonly argument: ModelChoice; readonly progress: string; readonly answer: ModelFacts };
  /** The most likely classes of a picture. */
  readonly classify: { readonly argument: Picture; readonly progress: never; readonly answer: Classified };
  /** Where the network sees a class in a picture, and the maps of a stage. */
  readonly look: { readonly argument: LookChoice; readonly progress: never; readonly answer: Look };
  /** Trains on pictures. What comes out is stored in the browser as well. */
  readonly fineTune: { readonly argument: TrainChoice; readonly progress: TrainStep; readonly answer: Progress };
  /** An ONNX file with its emulated grouped convolutions made real. Its progress is what is done now. */
  readonly optimize: { readonly argument: OptimizeChoice; readonly progress: string; readonly answer: Optimized };
  /** A block of the file that was optimized last, before and after. */
  readonly drawBlocks: { readonly argument: BlockPair; readonly progress: never; readonly answer: BlockDrawings };
  /** The stored model as a file. */
  readonly exportModel: { readonly argument: ExportChoice; readonly progress: never; readonly answer: Blob };
}

export type Kind = keyof Requests;

/** From the page to the worker. */
export type Request = {
  readonly [K in Kind]: { readonly id: number; readonly kind: K; readonly argument: Requests[K]['argument'] };
}[Kind];

/** From the worker to the page: any number of `progress`, then an answer or an error. */
export type Reply = { readonly id: number } & (
  | { readonly progress: unknown }
  | { readonly answer: unknown }
  | { readonly error: string }
);

/** Computes the answer to a request. `report` sends the progress. */
export type Handler<K extends Kind> = (
  argument: Requests[K]['argument'],
  report: (progress: Requests[K]['progress']) => void,
) => Promise<Requests[K]['answer']>;
