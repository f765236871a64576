/** A training: started, stopped, gone on with, and there again after a reload. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Provider } from '../classify/providers.ts';
import { Engine } from '../engine/client.ts';
import { shippedUrl } from '../shipped.ts';
import type { TrainStep } from './fine-tune.ts';
import { noProgress, type Progress } from './progress.ts';
import { type Project, trainPictures } from './project.ts';
import { browserStore, files, removeFile } from './store.ts';

/** The shipped model to start from, unless another one was given. */
export const defaultBase = 'objects200';

export interface TrainSettings {
  /** Of the whole network; 0 trains the classifier only. */
  readonly epochs: number;
  readonly provider: Provider;
}

const stopped = 'It was stopped.';

export function useTraining() {
  const engine = useMemo(() => new Engine(), []);
  const [step, setStep] = useState<TrainStep>();
  const [progress, setProgress] = useState(noProgress);
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    storedProgress().then((found) => found && setProgress(found));
    return () => engine.stop(stopped);
  }, []);

  const start = async (project: Project, blobs: ReadonlyMap<number, Blob>, settings: TrainSettings, goOn: boolean) => {
    setProblem(undefined);
    const base = project.base === undefined ? shippedUrl(defaultBase) : await browserStore.read(files.base);
    if (base === undefined) {
      setProblem(`The model ${defaultBase} is not beside this page. Choose a base model of your own.`);
      return;
    }
    if (!goOn) {
      await forget();
      setProgress(noProgress);
    }
    setStep({ text: 'Starting', share: 0 });
    const choice = {
      ...{ base, goOn, epochs: settings.epochs, providers: [settings.provider], seed: 1 },
      classes: project.classes,
      pictures: trainPictures(project, blobs),
    };
    try {
      const end = await engine.request('fineTune', choice, (next) => {
        setStep(next);
        if (next.progress) setProgress(next.progress);
      });
      setProgress(end);
    } catch (error) {
      const { message } = error as Error;
      if (message !== stopped) setProblem(message);
      setProgress((await storedProgress()) ?? noProgress); // what it can go on from
    }
    setStep(undefined);
  };

  /** Forgets the model, but not the pictures. */
  const forget = async () => {
    for (const name of [files.state, files.progress, files.model]) await removeFile(name);
    setProgress(noProgress);
  };

  return { engine, step, progress, problem, start, forget, stop: () => engine.stop(stopped) };
}

async function storedProgress(): Promise<Progress | undefined> {
  const blob = await browserStore.read(files.progress).catch(() => undefined);
  return blob && (JSON.parse(await blob.text()) as Progress);
}
