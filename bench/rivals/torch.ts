/** PyTorch in a child process, spoken to in JSON lines: see torch_infer.py. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Torch {
  readonly version: string;
  ask(question: object): Promise<Record<string, unknown>>;
  close(): void;
}

/** Starts it; undefined where Python or PyTorch is missing. */
export async function startTorch(python = '/usr/bin/python3'): Promise<Torch | undefined> {
  const script = fileURLToPath(new URL('torch_infer.py', import.meta.url));
  const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise<undefined>((resolve) => {
    child.on('error', () => resolve(undefined)).on('exit', () => resolve(undefined));
  });
  const next = async (): Promise<Record<string, unknown> | undefined> => {
    const line = await Promise.race([lines.next(), ended]);
    return line && !line.done ? (JSON.parse(line.value) as Record<string, unknown>) : undefined;
  };
  const hello = await next();
  if (!hello) return undefined;
  return {
    version: String(hello.torch),
    ask: async (question) => {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const reply = await next();
      if (!reply) throw new Error(`PyTorch ended at ${JSON.stringify(question)}.`);
      return reply;
    },
    close: () => void child.stdin.end(),
  };
}
