/** Prove it: the three forms run here, and their outputs are compared. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { exponent, short, whole } from '../controls/numbers.ts';
import { Engine } from '../engine/client.ts';
import type { Block, BlockChoice } from './block.ts';
import type { Contestant, Proof, ProofStep } from './proof.ts';

type Status =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly step: ProofStep }
  | { readonly kind: 'done'; readonly proof: Proof }
  | { readonly kind: 'failed'; readonly reason: string };

/** Weights that a page has memory for, four times over. */
const maxParameters = 16e6;

const idle: Status = { kind: 'idle' };

export function Prove({ choice, block }: { readonly choice: BlockChoice; readonly block: Block }) {
  const { parameters } = block.forms.C.cost;
  const isTooLarge = parameters > maxParameters;
  const [status, setStatus] = useState<Status>(idle);
  const engine = useRef<Engine | undefined>(undefined);
  useEffect(() => () => engine.current?.stop(), []);
  // A result is that of its block: choosing another one stops the run and clears the table.
  useEffect(() => {
    engine.current?.stop();
    setStatus(idle);
  }, [choice]);

  const start = async () => {
    engine.current ??= new Engine();
    setStatus({ kind: 'running', step: { text: 'Starting', share: 0 } });
    try {
      const proof = await engine.current.request('prove', choice, (step) => setStatus({ kind: 'running', step }));
      setStatus({ kind: 'done', proof });
    } catch (error) {
      setStatus({ kind: 'failed', reason: (error as Error).message });
    }
  };
  return (
    <figure class="prove">
      <div class="line">
        {status.kind === 'running' ? (
          <button
            type="button"
            onClick={() => {
              engine.current?.stop();
              setStatus(idle);
            }}
          >
            Stop
          </button>
        ) : (
          <button type="button" class="main" onClick={start} disabled={isTooLarge}>
            {status.kind === 'done' ? 'Prove it again' : 'Prove it'}
          </button>
        )}
        <p class="small">
          {status.kind === 'running'
            ? `${status.step.text}…`
            : isTooLarge
              ? `This block has ${short(parameters)} parameters, but there is memory for ${short(maxParameters)} here. Choose a narrower one.`
              : `${choice.network}, stage ${choice.stage}. Loads ONNX Runtime once, about 3 MB, and runs on this machine.`}
        </p>
        {status.kind === 'running' && <progress value={status.step.share} aria-label="Progress" />}
      </div>
      {status.kind === 'failed' && (
        <p class="problem" role="alert">
          {status.reason}
        </p>
      )}
      <div role="status">{status.kind === 'done' && <Results proof={status.proof} />}</div>
    </figure>
  );
}

const names: Readonly<Record<Contestant, string>> = {
  A: 'form A',
  B: 'form B',
  C: 'form C',
  broken: 'A with a ReLU in every branch',
};

function Results({ proof }: { readonly proof: Proof }) {
  const { rows, input, largest, float64, training, threads } = proof;
  const [channels, side] = input;
  const worst = Math.max(rows.A.difference, rows.B.difference);
  return (
    <>
      <div class="scroll">
        <table class="proof">
          <thead>
            <tr>
              <td />
              <th scope="col">difference</th>
              <th scope="col">time</th>
              <th scope="col">parameters</th>
              <th scope="col">multiply-adds</th>
              <th scope="col">nodes</th>
            </tr>
          </thead>
          <tbody>
            {(['A', 'B', 'C', 'broken'] as const).map((name) => {
              const { parameters, macs, nodes, milliseconds, difference } = rows[name];
              return (
                <tr key={name} class={name}>
                  <th scope="row">{names[name]}</th>
                  <td>{name === 'C' ? 'reference' : exponent(difference)}</td>
                  <td>{milliseconds.toFixed(1)} ms</td>
                  <td>{whole(parameters)}</td>
                  <td>{short(macs)}</td>
                  <td>{nodes}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p>
        {whole(channels)} channels of {side} × {side} went through each form on ONNX Runtime, in WebAssembly with{' '}
        {threads === 1 ? '1 thread' : `${threads} threads`}; times are medians of seven runs. Outputs go up to{' '}
        {largest.toFixed(1)}, and the forms differ by at most {exponent(worst)}. That is not zero where a form adds in
        another order, because float32 rounds every addition. In float64, on {float64.side} × {float64.side}, the
        difference is {exponent(Math.max(float64.A, float64.B))}.
      </p>
      {training && (
        <p>
          It stays so in training. After one step of the network up to this block, in float64 on three small images, the
          gradients of all weights differ by at most {exponent(training.gradient)} of their size between the forms, and
          the running statistics by {exponent(training.statistics)}.
        </p>
      )}
      <p>
        The last row is what happens if every branch of form A ends with a ReLU: a difference of{' '}
        {exponent(rows.broken.difference)}, of the size of the values themselves. It costs the same and is another
        network.
      </p>
    </>
  );
}
