/** Explains predictions by maps. For each method and stage, a session is opened when first needed, and kept. */
import type { Session } from '#platform';
import { type FieldsOf, object } from '../arguments.ts';
import { didYouMean, meantName } from '../closest-name.ts';
import { type ExplainMethod, explainMethods } from '../explain/methods.ts';
import type { Stage } from '../model/stages.ts';
import { OptionError, oneOf, text } from '../options.ts';
import type { SavedModel } from '../saved/model.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { checkFinite } from './finite.ts';
import { type ClassifierOptions, openGraph } from './open.ts';
import type { Prediction } from './predictions.ts';

/** Which class to explain, and how. */
export interface ExplainOptions {
  /** The name of a class, or its number. Default: the most likely one. */
  readonly class?: string | number;
  /** The stage whose maps to weigh, such as `layer3`. Default: the last. */
  readonly stage?: Stage;
  /** Grad-CAM (the default), or class-activation maps (CAM), whose numbers may be negative; see `explain/graph.ts`. */
  readonly method?: ExplainMethod;
}

export const explainFields: FieldsOf<ExplainOptions> = {
  class: object(
    'the name of a class, or its number',
    (value) => typeof value === 'string' || typeof value === 'number',
  ),
  stage: text({ expected: 'a name', doc: 'a stage' }),
  method: oneOf(explainMethods, { doc: 'how to explain' }),
};

/** The regions of an image that support a class. */
export interface Explanation extends Prediction {
  readonly stage: Stage;
  /** [h, w] of the stage: what each place of the network's input adds to the class. */
  readonly map: Tensor<'float32'>;
}

/** The refusal of a class, which names `--class` to someone who typed it. */
const classField = { class: text({ flag: '--class <name>', doc: 'class' }) };

const someOf = (labels: readonly string[]): string =>
  labels.slice(0, 5).join(', ') + (labels.length > 5 ? `, … (${labels.length})` : '');

/**
 * The index of a class by its name or number.
 *
 * @throws OptionError if there is none, with the one that may be meant.
 */
export function classIndex(given: string | number, labels: readonly string[]): number {
  const index = typeof given === 'number' ? given : labels.indexOf(given);
  if (Number.isInteger(index) && index >= 0 && index < labels.length) return index;
  const expected =
    typeof given === 'number'
      ? `a whole number from 0 to ${labels.length - 1}.`
      : `a class of the model.${didYouMean(meantName(given, labels)) || ` Its classes are ${someOf(labels)}.`}`;
  throw new OptionError(classField, (say) => `${say('class')} is ${JSON.stringify(given)}, but expected ${expected}`);
}

interface Opened {
  readonly session: Session;
  readonly stage: Stage;
}

export class Explainer {
  readonly #read: () => Promise<SavedModel>;
  readonly #options: ClassifierOptions;
  readonly #open = new Map<string, Promise<Opened>>();

  /** @param read reads the model when a session is first needed. */
  constructor(read: () => Promise<SavedModel>, options: ClassifierOptions) {
    this.#read = read;
    this.#options = options;
  }

  /**
   * The map of one class for one prepared image [1, C, H, W].
   *
   * @throws UsageError if the model has no such stage, or the map is NaN or infinite.
   */
  async map(
    image: Tensor<'float32'>,
    target: { readonly index: number; readonly classes: number },
    { stage, method = 'grad-cam' }: ExplainOptions,
  ): Promise<Pick<Explanation, 'map' | 'stage'>> {
    const opened = await this.#sessionFor(method, stage, image.dims.slice(1) as [number, number, number]);
    const oneHot = tensor('float32', [1, target.classes]);
    oneHot.data[target.index] = 1;
    const [input, one] = opened.session.inputNames as [string, string];
    const results = await opened.session.run(
      new Map([
        [input, image],
        [one, oneHot],
      ]),
    );
    const map = results.get(opened.session.outputNames[0]!) as Tensor<'float32'>;
    checkFinite('The numbers of the map', map, image);
    return { stage: opened.stage, map };
  }

  async dispose(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(async (each) => (await each.catch(() => undefined))?.session.dispose()));
  }

  #sessionFor(method: ExplainMethod, stage: Stage | undefined, image: [number, number, number]): Promise<Opened> {
    const key = `${method} ${stage}`;
    const known = this.#open.get(key);
    if (known) return known;
    const opened = this.#openFor(method, stage, image);
    this.#open.set(key, opened);
    opened.catch(() => this.#open.delete(key));
    return opened;
  }

  async #openFor(method: ExplainMethod, stage: Stage | undefined, image: [number, number, number]): Promise<Opened> {
    const [model, { explanationGraph }] = await Promise.all([this.#read(), import('../explain/graph.ts')]);
    const explained = explanationGraph(model.graph, { method, stage, image });
    return { session: await openGraph(explained.graph, this.#options), stage: explained.stage };
  }
}
