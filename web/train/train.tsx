/** Train: pictures of one's own become a model, in this browser. */
import { useEffect, useState } from 'preact/hooks';
import type { ModelFormat } from 'resnext';
import { type Provider, providerNames, providers } from '../classify/providers.ts';
import { Choice, StopsSlider } from '../controls/controls.tsx';
import { DropFrame, FileButton, type FoundFile, useDropped } from '../controls/files.tsx';
import { save } from '../controls/save.ts';
import type { PartProps } from '../parts.ts';
import { Classes } from './classes.tsx';
import { Curves } from './curves.tsx';
import { hasClasses, notReady, type Project, picturesOf } from './project.ts';
import { type Cell, Results } from './results.tsx';
import { readState, type TrainState, writeState } from './state.ts';
import { defaultBase, useTraining } from './training.ts';
import { useProject } from './use-project.ts';

const epochStops = [0, 1, 3, 5, 10, 20, 40];
const modelFiles = '.safetensors,.pth,.pt,.bin,.t7';
const isModel = (name: string): boolean => modelFiles.split(',').some((end) => name.toLowerCase().endsWith(end));

export function Part({ fields, onFields }: PartProps) {
  const [state, setState] = useState(() => readState(fields));
  useEffect(() => setState(readState(fields)), [fields]);
  const change = (changes: Partial<TrainState>) => {
    const next = { ...state, ...changes };
    setState(next);
    onFields(writeState(next));
  };
  const pictures = useProject();
  const training = useTraining();
  const { project } = pictures;
  const take = (found: readonly FoundFile[]) => {
    const model = found.find(({ path }) => isModel(path));
    if (model) void pictures.setBase(model.file).then(training.forget); // what it made cannot go on from another
    const others = found.filter(({ path }) => !isModel(path));
    if (others.length > 0) void pictures.addPictures(others);
  };
  const isOver = useDropped(take);
  if (!project) return <p class="loading">Loading…</p>;
  const hasModel = training.progress.best !== undefined;
  const isOurs = hasModel && hasClasses(project, training.progress.classes);
  return (
    <article class="train">
      <header class="lead">
        <h1>Teach it your own classes</h1>
        <p>
          A small ResNeXt that knows other things learns yours, in this browser. The pictures never leave this machine:
          once it has started, turn the network off, and it works as before. Close the page, and it goes on where it
          was.
        </p>
      </header>
      <Classes project={project} state={pictures} />
      <Controls
        {...{ project, training, state, change, take }}
        blobs={pictures.blobs}
        isAdding={pictures.adding !== undefined}
      />
      {training.progress.history.length > 0 && <Curves history={training.progress.history} />}
      {hasModel && !isOurs && <p>The classes have changed since this model was trained. Train it again.</p>}
      {isOurs && (
        <>
          <Results
            {...{ project, state: pictures, progress: training.progress, cell: state.cell }}
            onCell={(cell: Cell | undefined) => change({ cell })}
          />
          <Downloads project={project} training={training} />
        </>
      )}
      <Stored
        project={project}
        hasModel={hasModel}
        onClear={async () => {
          training.stop();
          await pictures.clear();
          await training.forget();
        }}
      />
      {isOver && <DropFrame>Drop a folder of pictures, or a base model</DropFrame>}
    </article>
  );
}

interface ControlsProps {
  readonly project: Project;
  readonly training: ReturnType<typeof useTraining>;
  readonly state: TrainState;
  readonly change: (changes: Partial<TrainState>) => void;
  readonly take: (found: readonly FoundFile[]) => void;
  readonly blobs: ReadonlyMap<number, Blob>;
  readonly isAdding: boolean;
}

function Controls({ project, training, state, change, take, blobs, isAdding }: ControlsProps) {
  const { step, problem, progress } = training;
  const available = useProviders();
  const missing = isAdding ? 'Pictures are being added.' : notReady(project);
  const epochsDone = progress.history.filter(({ phase }) => phase === 'whole').length;
  const canGoOn = progress.best !== undefined && hasClasses(project, progress.classes) && epochsDone < state.epochs;
  const start = (goOn: boolean) => void training.start(project, blobs, state, goOn);
  return (
    <section class="controls" aria-labelledby="training">
      <h2 id="training">Training</h2>
      <div class="settings">
        <StopsSlider
          label="Epochs of the whole network"
          stops={epochStops}
          value={state.epochs}
          format={(value) => (value === 0 ? 'classifier only' : `${value}`)}
          onChange={(epochs) => change({ epochs })}
          isDisabled={step !== undefined}
        />
        {available.length > 1 && (
          <Choice
            legend="Run on"
            options={available.map((name) => [name, providerNames[name]])}
            value={state.provider}
            onChange={(provider) => change({ provider })}
          />
        )}
        <div class="line">
          <FileButton label="Choose another base" accept={modelFiles} onFiles={take} />
          <p class="small">It starts from {project.base ?? `${defaultBase}, which ships with this page`}.</p>
        </div>
      </div>
      <p class="small">
        First a new classifier learns on the network’s features, in seconds; then the whole network learns, everything
        but the classifier at a tenth of the rate. A fifth of each class is held out to measure the result.{' '}
        {unevenText(project)}
      </p>
      <div class="line">
        {step ? (
          <button type="button" onClick={training.stop}>
            Stop
          </button>
        ) : (
          <>
            {canGoOn && (
              <button type="button" class="main" disabled={missing !== undefined} onClick={() => start(true)}>
                Go on
              </button>
            )}
            <button
              type="button"
              class={canGoOn ? '' : 'main'}
              disabled={missing !== undefined}
              onClick={() => start(false)}
            >
              {progress.best ? 'Train again' : 'Train'}
            </button>
          </>
        )}
        <p class="small" role="status">
          {step
            ? `${step.text}…`
            : (missing ?? (epochsDone > 0 ? `Epochs of the whole network so far: ${epochsDone}.` : ''))}
        </p>
        {step && <progress value={step.share} aria-label="Progress" />}
      </div>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}

function unevenText(project: Project): string {
  const counts = project.classes.map((each) => picturesOf(project, each).length);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  if (counts.length < 2 || most <= 2 * least) return '';
  return `The classes are uneven, ${least} to ${most} pictures, so each picture of a small class counts for more.`;
}

function useProviders(): readonly Provider[] {
  const [available, setAvailable] = useState<readonly Provider[]>(['wasm']);
  useEffect(() => {
    navigator.gpu?.requestAdapter().then((adapter) => adapter && setAvailable(providers));
  }, []);
  return available;
}

const formats: readonly (readonly [ModelFormat, string])[] = [
  ['safetensors', 'model.safetensors'],
  ['onnx', 'model.onnx'],
  ['json', 'model.json'],
];

interface DownloadsProps {
  readonly project: Project;
  readonly training: ReturnType<typeof useTraining>;
}

function Downloads({ project, training: { engine, step } }: DownloadsProps) {
  const [problem, setProblem] = useState<string>();
  const download = async (format: ModelFormat, name: string) => {
    setProblem(undefined);
    try {
      const classes = project.classes.map((each) => each.name);
      save(await engine.request('exportModel', { format, classes }), name);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <section aria-labelledby="model">
      <h2 id="model">Your model</h2>
      <div class="line">
        {formats.map(([format, name]) => (
          <button key={format} type="button" disabled={step !== undefined} onClick={() => download(format, name)}>
            Download {name}
          </button>
        ))}
      </div>
      <p>
        Each of the first two is the whole model, with the names of its classes. Drop it on{' '}
        <a href="#classify">Classify</a>, or use it with{' '}
        <code>resnext classify photo.jpg --model model.safetensors</code>.
      </p>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}

interface StoredProps {
  readonly project: Project;
  readonly hasModel: boolean;
  readonly onClear: () => void;
}

/** What is stored in the browser, and a way to be rid of it. */
function Stored({ project: { pictures, classes, base }, hasModel, onClear }: StoredProps) {
  if (classes.length === 0 && base === undefined) return null;
  const parts = [
    `${pictures.length} pictures`,
    ...(base === undefined ? [] : ['a base model']),
    ...(hasModel ? ['a trained model with what it takes to go on'] : []),
  ];
  return (
    <section class="stored line" aria-label="What is stored">
      <p class="small">Stored in this browser, and nowhere else: {parts.join(', ')}.</p>
      <button type="button" onClick={() => confirm(`Delete ${parts.join(', ')}?`) && onClear()}>
        Delete all of it
      </button>
    </section>
  );
}
