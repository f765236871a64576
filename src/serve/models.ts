/**
 * The models of a server. One can be replaced while it is asked: the new one is opened first, requests go to it from then on,
 * and the old one ends when it has answered what it has accepted.
 */
import { type Batcher, type BatcherOptions, createBatcher } from '../batcher/batcher.ts';
import { didYouMean, meantName } from '../closest-name.ts';
import type { SavedModel } from '../saved/model.ts';
import { Problem } from './problem.ts';

export type ModelGiven = string | URL | SavedModel;

/** A model that is served. */
export interface ServedModel {
  readonly name: string;
  /** Counts how often the name was given a model, from 1. */
  readonly version: number;
  readonly source: ModelGiven;
  readonly batcher: Batcher;
  /** Milliseconds since 1970. */
  readonly loaded: number;
}

/** What a server has to do with its models. */
export interface ModelsOptions {
  /** How a version of a model is opened. */
  batcher(name: string, version: number): BatcherOptions;
  /** Called when one has ended. */
  onEnd(model: ServedModel): void;
}

export class Models {
  readonly #options: ModelsOptions;
  readonly #models = new Map<string, ServedModel>();
  readonly #versions = new Map<string, number>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: ModelsOptions) {
    this.#options = options;
  }

  /** The first one is the default. */
  get all(): readonly ServedModel[] {
    return [...this.#models.values()];
  }

  /**
   * The model of a name that a request has, or the default one.
   *
   * @throws Problem with 404 if there is none.
   */
  get(name?: string, version?: string): ServedModel {
    const model = name === undefined ? this.all[0] : this.#models.get(name);
    if (!model) {
      const meant = name === undefined ? undefined : meantName(name, [...this.#models.keys()]);
      throw new Problem(404, `There is no model "${name ?? ''}".${didYouMean(meant)}`);
    }
    if (version === undefined || version === `${model.version}`) return model;
    throw new Problem(404, `There is no version ${version} of "${model.name}". It is at version ${model.version}.`);
  }

  /**
   * Adds a model, or replaces the one of this name. The returned promise resolves when requests go to it.
   *
   * @throws as `createBatcher`; the model of this name is then as before.
   */
  async load(name: string, source: ModelGiven): Promise<ServedModel> {
    const version = (this.#versions.get(name) ?? 0) + 1;
    this.#versions.set(name, version);
    const batcher = await createBatcher(source, this.#options.batcher(name, version));
    const model = { name, version, source, batcher, loaded: Date.now() };
    const former = this.#models.get(name);
    if (former && former.version > version) {
      await batcher.close(); // a later call was faster
      return former;
    }
    this.#models.set(name, model);
    if (former) this.#end(former);
    return model;
  }

  /** Removes a model, and ends it when it has answered what it has accepted. */
  async unload(name: string): Promise<void> {
    const model = this.get(name);
    this.#models.delete(name);
    await this.#end(model);
  }

  async close(): Promise<void> {
    for (const model of this.#models.values()) this.#end(model);
    await Promise.all(this.#closing);
  }

  #end(model: ServedModel): Promise<void> {
    const closing = model.batcher.close().then(() => this.#options.onEnd(model));
    this.#closing.add(closing);
    return closing.finally(() => this.#closing.delete(closing));
  }
}
