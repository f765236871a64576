/** Classify: what a model sees in a picture, where, and what its groups compute on the way. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Camera } from '../controls/camera.tsx';
import { Choice } from '../controls/controls.tsx';
import { DropFrame, FileButton, type FoundFile, useDropped } from '../controls/files.tsx';
import { short } from '../controls/numbers.ts';
import type { PartProps } from '../parts.ts';
import { GroupMaps } from './group-maps.tsx';
import { providerNames } from './providers.ts';
import { samples } from './samples.ts';
import { Seen } from './seen.tsx';
import {
  defaultModel,
  type Entry,
  type Opened,
  type Outcome,
  useEngine,
  useLook,
  useModel,
  useOutcomes,
} from './session.ts';
import { type ClassifyState, readState, writeState } from './state.ts';

interface NamedPicture {
  readonly name: string;
  readonly blob: Blob;
}

const modelFiles = '.safetensors,.pth,.pt,.bin,.t7,.onnx';
const isModel = (name: string): boolean => /\.(safetensors|pth|pt|bin|t7|onnx)$/i.test(name);

export function Part({ fields, onFields }: PartProps) {
  const [state, change] = useClassifyState(fields, onFields);
  const engine = useEngine();
  const model = useModel(engine);
  const { opened } = model;
  const { entries, selected, select, add } = useEntries();
  const outcomes = useOutcomes(engine, entries, opened);
  const entry = entries.find(({ id }) => id === selected);
  const outcome = entry && outcomes.get(entry.id);
  const classes = outcome && 'predictions' in outcome ? outcome : undefined;
  const label = state.label ?? classes?.predictions[0]?.label;
  const stages = opened?.facts.stages ?? [];
  const stage = (stages.find(({ name }) => name === state.stage) ?? stages.at(-1))?.name;
  const { look, problem } = useLook(engine, classes && entry, opened, stage, label);

  const addPictures = (pictures: readonly NamedPicture[], sample?: string, shown?: string) => {
    add(pictures);
    change({ sample, label: shown });
  };
  const openFirst = () => {
    if (!opened && model.doing === undefined) void model.openDefault(state.provider);
  };
  const take = (files: readonly FoundFile[]) => {
    const chosen = files.find(({ path }) => isModel(path));
    const pictures = files.filter(({ path }) => !isModel(path));
    change({ label: undefined });
    if (pictures.length > 0) addPictures(pictures.map(({ file }) => ({ name: file.name, blob: file })));
    if (chosen) void model.open({ name: chosen.file.name, source: chosen.file }, state.provider);
    else openFirst();
  };
  const tryOut = async (name: string, shown?: string) => {
    const blob = await (await fetch(samples.get(name)!)).blob();
    addPictures([{ name, blob }], name, shown);
    openFirst();
  };
  const isOver = useDropped(take);
  useEffect(() => {
    if (state.sample !== undefined) void tryOut(state.sample, state.label);
  }, [fields]);

  return (
    <article class="classify">
      <header class="lead">
        <h1>What is in your picture?</h1>
        <p>
          A ResNeXt looks at it here, in this browser: what it sees, where, and what each of its groups computes. The
          picture and the model stay on this machine.
        </p>
      </header>
      <div class="line">
        <FileButton label="Choose pictures" accept="image/*" onFiles={take} />
        <FileButton label="Choose a model" accept={modelFiles} onFiles={take} />
        <Camera
          action="Take a picture"
          onPicture={(blob) => {
            addPictures([{ name: 'From the camera', blob }]);
            openFirst();
          }}
        />
        <p class="small">
          Or drop or paste pictures, or drop a <code>.safetensors</code>, <code>.pth</code> or <code>.onnx</code> file,
          anywhere on the page.
        </p>
      </div>
      <div class="line samples">
        <span class="small" id="samples">
          Try one:
        </span>
        {[...samples].map(([name, url]) => (
          <button key={name} type="button" class="thumb" onClick={() => tryOut(name)} aria-label={`Try ${name}`}>
            <img src={url} alt="" width={48} height={48} />
          </button>
        ))}
      </div>
      <ModelLine
        {...model}
        classes={classes}
        onProvider={(provider) => {
          change({ provider });
          if (opened) void model.open(opened, provider);
        }}
      />
      {entries.length > 1 && (
        <Strip
          {...{ entries, outcomes, selected }}
          onSelect={(id) => {
            select(id);
            change({ sample: undefined, label: undefined });
          }}
        />
      )}
      {entry && (
        <section class="result" aria-label={`The result for ${entry.name}`}>
          <Seen entry={entry} look={look} label={label} />
          <div>
            <Classes
              {...{ entry, outcome, label }}
              isWaiting={model.doing !== undefined || opened !== undefined}
              onLabel={(next) => change({ label: next })}
            />
            {problem !== undefined && <Problem text={problem} />}
            {classes && stages.length > 1 && stage !== undefined && (
              <Choice
                legend="Where, as seen by stage"
                options={stages.map(({ name }, i) => [name, `${i + 1}`])}
                value={stage}
                onChange={(next) => change({ stage: next })}
              />
            )}
          </div>
        </section>
      )}
      {look && stage !== undefined && (
        <GroupMaps maps={look.maps} stage={stages.findIndex(({ name }) => name === stage) + 1} />
      )}
      {isOver && <DropFrame>Drop pictures, or a model</DropFrame>}
    </article>
  );
}

const Problem = ({ text }: { readonly text: string }) => (
  <p class="problem" role="alert">
    {text}
  </p>
);

function useClassifyState(
  fields: PartProps['fields'],
  onFields: PartProps['onFields'],
): [ClassifyState, (changes: Partial<ClassifyState>) => void] {
  const [state, setState] = useState(() => readState(fields));
  const current = useRef(state);
  const set = (next: ClassifyState) => {
    current.current = next;
    setState(next);
  };
  useEffect(() => set(readState(fields)), [fields]);
  return [
    state,
    (changes) => {
      set({ ...current.current, ...changes });
      onFields(writeState(current.current));
    },
  ];
}

/** The pictures so far; the last one that was added is selected. */
function useEntries() {
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  const [selected, select] = useState<number>();
  const next = useRef(0);
  const urls = useRef<string[]>([]);
  useEffect(() => () => urls.current.forEach(URL.revokeObjectURL), []);
  const add = (pictures: readonly NamedPicture[]) => {
    const added = pictures.map(({ name, blob }): Entry => {
      const url = URL.createObjectURL(blob);
      urls.current.push(url);
      return { id: next.current++, name, blob, url };
    });
    setEntries((before) => [...before, ...added]);
    select(added[0]?.id);
  };
  return { entries, selected, select, add };
}

interface ModelLineProps {
  readonly opened: Opened | undefined;
  readonly doing: string | undefined;
  readonly problem: string | undefined;
  readonly classes: { readonly ran: number } | undefined;
  readonly onProvider: (provider: keyof typeof providerNames) => void;
}

/** Which model is open, what runs it, and how fast. */
function ModelLine({ opened, doing, problem, classes, onProvider }: ModelLineProps) {
  return (
    <section class="model" aria-label="The model">
      <div role="status">
        {doing !== undefined ? (
          <p>{doing}…</p>
        ) : opened ? (
          <ModelFacts opened={opened} ran={classes?.ran} />
        ) : (
          problem === undefined && (
            <p>The first picture loads the model {defaultModel} and ONNX Runtime once, a few megabytes.</p>
          )
        )}
      </div>
      {problem !== undefined && <Problem text={problem} />}
      {opened && opened.facts.available.length > 1 && (
        <Choice
          legend="Run on"
          options={opened.facts.available.map((name) => [name, providerNames[name]])}
          value={opened.facts.provider}
          onChange={onProvider}
        />
      )}
    </section>
  );
}

function ModelFacts({ opened, ran }: { readonly opened: Opened; readonly ran: number | undefined }) {
  const { name, facts } = opened;
  const { provider, threads } = facts;
  const with_ = provider === 'wasm' ? ` with ${threads === 1 ? '1 thread' : `${threads} threads`}` : '';
  return (
    <>
      <p>
        <strong>{name}</strong> · {facts.variant} · {facts.classes} classes · {facts.size} × {facts.size} pixels ·{' '}
        {short(facts.parameters)} parameters · {short(facts.macs)} multiply-adds
      </p>
      <p class="speed">
        It runs on {providerNames[provider]}
        {with_}
        {ran === undefined ? '.' : `: ${ran.toFixed(1)} ms for this picture.`}
      </p>
      {facts.notes.map((note) => (
        <p key={note} class="small">
          {note}
        </p>
      ))}
    </>
  );
}

interface ClassesProps {
  readonly entry: Entry;
  readonly outcome: Outcome | undefined;
  readonly label: string | undefined;
  readonly isWaiting: boolean;
  readonly onLabel: (label: string) => void;
}

const percent = (probability: number): string => `${(100 * probability).toFixed(1)} %`;

/** The most likely classes as bars; choosing one shows where it is seen. */
function Classes({ entry, outcome, label, isWaiting, onLabel }: ClassesProps) {
  if (!outcome) return isWaiting ? <p class="small">Looking…</p> : null;
  if ('problem' in outcome) return <Problem text={outcome.problem} />;
  const [best] = outcome.predictions;
  return (
    <>
      <p class="hidden" role="status">
        {entry.name}: {best!.label}, {percent(best!.probability)}
      </p>
      <fieldset class="classes">
        <legend>What it sees</legend>
        {outcome.predictions.map(({ label: name, probability }) => (
          <label key={name}>
            <input type="radio" name="class" checked={name === label} onChange={() => onLabel(name)} />
            <span class="name">{name}</span>
            <span class="bar" aria-hidden="true">
              <span style={{ width: `${100 * probability}%` }} />
            </span>
            <data class="value" value={`${probability}`}>
              {percent(probability)}
            </data>
          </label>
        ))}
      </fieldset>
      <p class="small">Choose another class to see which places speak for it instead.</p>
    </>
  );
}

interface StripProps {
  readonly entries: readonly Entry[];
  readonly outcomes: ReadonlyMap<number, Outcome>;
  readonly selected: number | undefined;
  readonly onSelect: (id: number) => void;
}

/** All pictures, with the most likely class of each. */
function Strip({ entries, outcomes, selected, onSelect }: StripProps) {
  return (
    <ul class="strip" aria-label="Pictures">
      {entries.map(({ id, name, url }) => (
        <li key={id}>
          <button type="button" class="thumb" aria-pressed={id === selected} onClick={() => onSelect(id)}>
            <img src={url} alt={name} width={72} height={72} loading="lazy" />
            <span>{summary(outcomes.get(id))}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function summary(outcome: Outcome | undefined): string {
  if (!outcome) return '…';
  return 'problem' in outcome ? 'not read' : (outcome.predictions[0]?.label ?? '');
}
