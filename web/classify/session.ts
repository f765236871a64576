/** The work of Classify: one model is open, and every picture gets its classes, one after the other. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Engine } from '../engine/client.ts';
import { shippedUrl } from '../shipped.ts';
import type { Classified, Look, ModelFacts } from './model.ts';
import type { Provider } from './providers.ts';

/** The shipped model that is opened with the first picture, unless another one was given. */
export const defaultModel = 'cifar10';

export interface Entry {
  readonly id: number;
  readonly name: string;
  readonly blob: Blob;
  readonly url: string;
}

export interface Model {
  readonly name: string;
  readonly source: Blob | string;
}

export interface Opened extends Model {
  readonly facts: ModelFacts;
}

/** What an opened model says about a picture, or why it says nothing. */
export type Outcome = Classified | { readonly problem: string };

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export function useEngine(): Engine {
  const engine = useMemo(() => new Engine(), []);
  useEffect(() => () => engine.stop(), [engine]);
  return engine;
}

/** The opened model, what is done to open one, and why that failed. */
export function useModel(engine: Engine) {
  const [opened, setOpened] = useState<Opened>();
  const [doing, setDoing] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const open = async ({ name, source }: Model, provider: Provider | undefined) => {
    setProblem(undefined);
    setDoing('Starting');
    try {
      const facts = await engine.request('openModel', { source, provider }, setDoing);
      setOpened({ name, source, facts });
    } catch (error) {
      setProblem(`${name} did not open. ${messageOf(error)}`);
    }
    setDoing(undefined);
  };
  const openDefault = async (provider: Provider | undefined) => {
    const source = shippedUrl(defaultModel);
    if (source !== undefined) return open({ name: defaultModel, source }, provider);
    setProblem(`The model ${defaultModel} is not beside this page. Choose or drop a model of your own.`);
  };
  return { opened, doing, problem, open, openDefault };
}

/** The classes of all pictures. Those of another model are forgotten. */
export function useOutcomes(
  engine: Engine,
  entries: readonly Entry[],
  opened: Opened | undefined,
): ReadonlyMap<number, Outcome> {
  const [known, setKnown] = useState<{ readonly of: Opened | undefined; readonly outcomes: Map<number, Outcome> }>();
  const outcomes = known !== undefined && known.of === opened ? known.outcomes : none;
  const next = opened && entries.find(({ id }) => !outcomes.has(id));
  useEffect(() => {
    if (!next) return;
    let isCurrent = true;
    const add = (outcome: Outcome) =>
      isCurrent && setKnown({ of: opened, outcomes: new Map([...outcomes, [next.id, outcome]]) });
    engine
      .request('classify', { id: next.id, blob: next.blob })
      .then(add, (error) => add({ problem: messageOf(error) }));
    return () => {
      isCurrent = false;
    };
  }, [opened, next]);
  return outcomes;
}

const none: ReadonlyMap<number, Outcome> = new Map();

/** A picture as the network sees it, of the class and the stage that were chosen last; those before it stay meanwhile. */
export function useLook(
  engine: Engine,
  entry: Entry | undefined,
  opened: Opened | undefined,
  stage: string | undefined,
  label: string | undefined,
): { readonly look: Look | undefined; readonly problem: string | undefined } {
  const [state, setState] = useState<{ of?: Entry; by?: Opened; look?: Look; problem?: string }>({});
  const latest = useRef(0);
  useEffect(() => {
    const number = ++latest.current;
    if (!entry || !opened || stage === undefined) return;
    const put = (result: { look: Look } | { problem: string }) => {
      if (latest.current === number) setState({ of: entry, by: opened, ...result });
    };
    const { id, blob } = entry;
    engine.request('look', { picture: { id, blob }, stage, label }).then(
      (look) => put({ look }),
      (error) => put({ problem: messageOf(error) }),
    );
  }, [entry, opened, stage, label]);
  const isOurs = state.of === entry && state.by === opened;
  return { look: isOurs ? state.look : undefined, problem: isOurs ? state.problem : undefined };
}
