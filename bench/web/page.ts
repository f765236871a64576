/** The side of `web.ts` in a page: sets the global `bench`. */
import { Classifier, resnext, variant } from 'resnext';
import { cost } from 'resnext/graph';
import { inference, training, type WorkSettings } from '../contenders/work.ts';
import { type Jax, jaxStep } from '../rivals/jax-step.ts';
import { type Config, parameterCount } from '../rivals/network.ts';
import { type TensorFlow, tensorFlowStep } from '../rivals/tensorflow-step.ts';

export interface PageSettings extends WorkSettings {
  readonly task: 'train' | 'infer';
  readonly network: string;
  readonly config: Config;
}

/** A library that trains here. The rivals are modules on the server. */
export type Library = 'resnext' | 'jax' | 'tensorflow';

interface Started {
  readonly parameters: number;
  readonly once: () => Promise<unknown>;
}

const libraries: Readonly<Record<Library, (settings: PageSettings) => Promise<Started>>> = {
  async resnext(settings) {
    const model = resnext(variant(settings.network));
    const { once } = await (settings.task === 'train' ? training : inference)(model, settings);
    return { parameters: cost(model.graph).parameters, once };
  },
  async jax(settings) {
    const once = await jaxStep((await served('jax')) as Jax, settings);
    return { parameters: parameterCount(settings.config), once };
  },
  async tensorflow(settings) {
    const once = await tensorFlowStep((await served('tensorflow')) as TensorFlow, settings);
    return { parameters: parameterCount(settings.config), once };
  },
};

const served = (name: Library): Promise<unknown> => import(`/${name}.js`);

let started: Started;

/** What of this page `web.ts` calls. */
export const bench = {
  /** Starts the only contender of this page. Returns its number of parameters. */
  async start(library: Library, settings: PageSettings): Promise<number> {
    started = await libraries[library](settings);
    return started.parameters;
  },

  /** Milliseconds of one step. */
  async step(): Promise<number> {
    const began = performance.now();
    await started.once();
    return performance.now() - began;
  },

  /** Milliseconds from the page's beginning to its first prediction, and those of the second. */
  async predict(model: string, picture: string): Promise<readonly [first: number, second: number]> {
    const file = await (await fetch(picture)).blob();
    const classifier = await Classifier.open(model);
    await classifier.classify(file);
    const first = performance.now(); // the clock starts with the page
    await classifier.classify(file);
    return [first, performance.now() - first];
  },
};

Object.assign(globalThis, { bench });
