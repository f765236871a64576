/** Convert: somebody's ONNX file, with its emulated grouped convolutions made real. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { DropFrame, FileButton, useDropped } from '../controls/files.tsx';
import { exponent, short, whole } from '../controls/numbers.ts';
import { save } from '../controls/save.ts';
import { Engine } from '../engine/client.ts';
import type { PartProps } from '../parts.ts';
import type { BlockDrawings, Optimized } from './optimize.ts';
import { type ConvertState, readState, writeState } from './state.ts';

export function Part({ fields, onFields }: PartProps) {
  const engine = useMemo(() => new Engine(), []);
  useEffect(() => () => engine.stop(), [engine]);
  const [state, setState] = useState(() => readState(fields));
  const [doing, setDoing] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const [result, setResult] = useState<Optimized>();
  const change = (next: ConvertState) => {
    setState(next);
    onFields(writeState(next));
  };
  const open = async (file: File | undefined) => {
    setProblem(undefined);
    setDoing('Starting');
    try {
      setResult(await engine.request('optimize', { file }, setDoing));
    } catch (error) {
      setProblem((error as Error).message);
    }
    setDoing(undefined);
  };
  useEffect(() => {
    const opened = readState(fields);
    setState(opened);
    if (opened.isExample) void open(undefined);
  }, [fields]);
  const take = (file: File | undefined) => {
    change({ isExample: file === undefined, block: undefined });
    void open(file);
  };
  const isOver = useDropped(([found]) => take(found?.file));
  return (
    <article class="convert">
      <header class="lead">
        <h1>Make its groups real</h1>
        <p>
          Exporters write a grouped convolution as many small ones, with a sum or a concatenation. Drop an ONNX file,
          and they become one again. What stays as it is, is listed with the reason. The file stays on this machine.
        </p>
      </header>
      <div class="line">
        <FileButton label="Choose an ONNX file" accept=".onnx" onFiles={([found]) => take(found?.file)} />
        <button type="button" onClick={() => take(undefined)}>
          Try a network in form A
        </button>
        <p class="small" role="status">
          {doing === undefined ? 'Or drop a file anywhere on the page.' : `${doing}…`}
        </p>
      </div>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {result && (
        <>
          <Summary result={result} />
          <Blocks
            key={result.name}
            {...{ engine, result, chosen: state.block }}
            onBlock={(block) => change({ ...state, block })}
          />
          <Remarks title="What it found" remarks={result.report.changes} none="Nothing to rewrite." />
          <Remarks
            title="What it refused"
            remarks={result.report.refusals}
            none="Nothing: no concatenation or sum of several convolutions stays."
          />
        </>
      )}
      {isOver && <DropFrame>Drop an ONNX file</DropFrame>}
    </article>
  );
}

function Summary({ result: { name, costs, comparison, file, report } }: { readonly result: Optimized }) {
  const [before, after] = costs;
  const times = comparison && 'milliseconds' in comparison ? comparison.milliseconds : undefined;
  const rows: readonly (readonly [string, string, string])[] = [
    ['nodes', whole(before.nodes), whole(after.nodes)],
    ['parameters', whole(before.parameters), whole(after.parameters)],
    ['multiply-adds', short(before.macs), short(after.macs)],
    ...(times
      ? [['time', ...times.map((time) => `${time.toFixed(1)} ms`)] as unknown as [string, string, string]]
      : []),
  ];
  return (
    <section class="summary" aria-label="Before and after">
      <table class="proof">
        <thead>
          <tr>
            <th scope="col">{name}</th>
            <th scope="col">before</th>
            <th scope="col">after</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([title, old, now]) => (
            <tr key={title}>
              <th scope="row">{title}</th>
              <td>{old}</td>
              <td>{now}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>{verdict(comparison)}</p>
      <button type="button" class="main" disabled={report.changes.length === 0} onClick={() => save(file, named(name))}>
        Download {named(name)}
      </button>
    </section>
  );
}

const named = (name: string): string => name.replace(/(\.onnx)?$/, '-optimized.onnx');

function verdict(comparison: Optimized['comparison']): string {
  if (!comparison) return 'Nothing changed, so there is nothing to compare.';
  if ('problem' in comparison) return `Both could not be compared here: ${comparison.problem}`;
  const { difference } = comparison;
  return `On random inputs, on ONNX Runtime in this browser, the outputs differ by ${exponent(difference)} of their size.`;
}

interface BlocksProps {
  readonly engine: Engine;
  readonly result: Optimized;
  readonly chosen: string | undefined;
  readonly onBlock: (block: string) => void;
}

/** A block before and after, drawn from the graphs. */
function Blocks({ engine, result, chosen, onBlock }: BlocksProps) {
  const { blocks } = result;
  const block = blocks.find((name) => name === chosen) ?? blocks[0];
  const theme = useTheme();
  const [drawn, setDrawn] = useState<BlockDrawings | { readonly problem: string }>();
  useEffect(() => {
    if (block === undefined) return;
    let isCurrent = true;
    const put = (next: typeof drawn) => isCurrent && setDrawn(next);
    engine.request('drawBlocks', { block, theme }).then(put, (error: Error) => put({ problem: error.message }));
    return () => {
      isCurrent = false;
    };
  }, [result, block, theme]);
  if (block === undefined) return <p>It has no residual block to draw.</p>;
  return (
    <section aria-labelledby="blocks">
      <h2 id="blocks">Before and after</h2>
      <label class="line">
        <span class="small">Block</span>
        <select value={block} onChange={({ currentTarget }) => onBlock(currentTarget.value)}>
          {blocks.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {drawn && 'problem' in drawn && (
        <p class="problem" role="alert">
          {drawn.problem}
        </p>
      )}
      {drawn && 'before' in drawn && (
        <div class="drawings">
          {(['before', 'after'] as const).map((when) => (
            <figure key={when}>
              <figcaption>{when}</figcaption>
              <div class="scroll">
                <img
                  src={`data:image/svg+xml,${encodeURIComponent(drawn[when])}`}
                  alt={altOf(drawn[when], block, when)}
                />
              </div>
            </figure>
          ))}
        </div>
      )}
    </section>
  );
}

/** The drawing's own description. */
function altOf(svg: string, block: string, when: string): string {
  const text = new DOMParser().parseFromString(svg, 'image/svg+xml').querySelector('desc')?.textContent ?? '';
  return `Block ${block} ${when}. ${text}`;
}

/** The theme of the page, which a drawing in a picture does not inherit. */
function useTheme(): 'light' | 'dark' {
  const [theme, setTheme] = useState(pageTheme);
  useEffect(() => {
    const follow = () => setTheme(pageTheme());
    const system = matchMedia('(prefers-color-scheme: dark)');
    const chosen = new MutationObserver(follow);
    chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    system.addEventListener('change', follow);
    return () => {
      chosen.disconnect();
      system.removeEventListener('change', follow);
    };
  }, []);
  return theme;
}

function pageTheme(): 'light' | 'dark' {
  const { theme } = document.documentElement.dataset;
  if (theme === 'light' || theme === 'dark') return theme;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

interface RemarksProps {
  readonly title: string;
  readonly remarks: Optimized['report']['changes'];
  readonly none: string;
}

/** Remarks by their rule, with the nodes that they are about. */
function Remarks({ title, remarks, none }: RemarksProps) {
  const rules = [...new Set(remarks.map(({ rule }) => rule))];
  return (
    <section>
      <h2>{title}</h2>
      {remarks.length === 0 && <p>{none}</p>}
      {rules.map((rule) => {
        const own = remarks.filter((remark) => remark.rule === rule);
        return (
          <details key={rule} class="remarks" open={own.length <= 3}>
            <summary>
              {own.length} × {rule}
            </summary>
            <ul>
              {own.map(({ node, text }, i) => (
                <li key={i}>
                  <code>{node}</code>: {text}
                </li>
              ))}
            </ul>
          </details>
        );
      })}
    </section>
  );
}
