/**
 * Contenders as child processes, which share neither memory nor thread pools. The last argument of a child is its
 * settings in JSON. The two sides exchange JSON lines; `contenders/serve.ts` is the child's side:
 *
 *   child prints   {"ready": {"parameters": 25028904, "versions": {"torch": "1.13"}}}   or {"unavailable": "why"}
 *   parent writes  step
 *   child prints   {"milliseconds": 1427.3, "rss": 1830000000}                          or {"error": "what went wrong"}
 *
 * Between its turns, a child is stopped (SIGSTOP) so that none of its threads can spin.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Contender, type Facts, type Runner, Unavailable } from './harness.ts';

export type Settings = Readonly<Record<string, unknown>>;

interface Answer {
  readonly ready?: Facts;
  readonly unavailable?: string;
  readonly error?: string;
  readonly milliseconds?: number;
  readonly rss?: number;
}

export const root = fileURLToPath(new URL('..', import.meta.url));
export const { PYTHON: python = '/usr/bin/python3' } = process.env;
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

/** A program in `contenders/`. */
export function ourContender(
  name: string,
  program: 'network' | 'peak' | 'epoch' | 'plain',
  settings: Settings,
): Contender {
  return { name, start: async () => startChild(name, process.execPath, [await compiled(program)], settings) };
}

/** A Python program in `rivals/`, run with the environment variable PYTHON, or /usr/bin/python3 by default. */
export function pythonContender(name: string, program: string, settings: Settings): Contender {
  return { name, start: () => startChild(name, python, [here(`rivals/${program}`)], settings) };
}

/** A TypeScript program in `rivals/`, which has its own packages. */
export function rivalContender(name: string, program: string, settings: Settings): Contender {
  const args = ['--import', 'tsx', here(`rivals/${program}`)];
  return { name, start: () => startChild(name, process.execPath, args, settings) };
}

let compiling: Promise<unknown> | undefined;

/**
 * The path of a program in `contenders/`, compiled to JavaScript, as a TypeScript loader would take 40 MB of its
 * memory. All programs are compiled to runs/contenders, once.
 */
export async function compiled(program: string): Promise<string> {
  const compiler = fileURLToPath(new URL('bin/tsc', import.meta.resolve('typescript/package.json')));
  compiling ??= promisify(execFile)(process.execPath, [compiler, '-p', here('contenders')], { cwd: root });
  await compiling.catch(({ stdout, message }) => {
    throw new Error(`bench/contenders does not compile: ${stdout || message}`);
  });
  return here(`../runs/contenders/${program}.js`);
}

async function startChild(name: string, command: string, args: string[], settings: Settings): Promise<Runner> {
  const child = spawn(command, [...args, JSON.stringify(settings)], { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const answers = listen(name, child);
  const { ready, unavailable } = await answers.next();
  if (unavailable !== undefined) throw new Unavailable(unavailable);
  pause(child);
  return new ChildRunner(child, answers, ready ?? {});
}

class ChildRunner implements Runner {
  readonly facts: Facts;
  readonly #child: ChildProcess;
  readonly #answers: Answers;
  #peak: number | undefined;

  constructor(child: ChildProcess, answers: Answers, facts: Facts) {
    this.#child = child;
    this.#answers = answers;
    this.facts = facts;
  }

  async run(): Promise<number> {
    resume(this.#child);
    const answer = this.#answers.next();
    this.#child.stdin!.write('step\n');
    const { milliseconds, rss } = await answer;
    pause(this.#child);
    this.#peak = rss;
    return milliseconds!;
  }

  peak(): number | undefined {
    return this.#peak;
  }

  used(): number | undefined {
    return processorTime(this.#child.pid!);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL'); // it has no state to save
    await ended;
  }
}

/** CPU seconds of a process and its ended children; undefined if the system does not report them. */
export function processorTime(pid: number): number | undefined {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return undefined;
  const fields = readFileSync(path, 'utf8').split(') ')[1]!.split(' '); // the fields after the program's name
  const ticks = fields.slice(11, 15).map(Number); // user and system time, of the process and its children
  return ticks.reduce((a, b) => a + b) / 100;
}

interface Answers {
  /** The next line that the child prints. Rejects if the child fails or ends. */
  next(): Promise<Answer>;
}

function listen(name: string, child: ChildProcess): Answers {
  let errors = '';
  let waiting: PromiseWithResolver | undefined;
  const settle = (use: (waiter: PromiseWithResolver) => void) => {
    const waiter = waiting;
    waiting = undefined;
    if (waiter) use(waiter);
  };
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000);
  });
  createInterface(child.stdout!).on('line', (line) => {
    if (!line.startsWith('{')) return; // output of a library
    const answer = JSON.parse(line) as Answer;
    settle(({ resolve, reject }) => {
      if (answer.error === undefined) resolve(answer);
      else reject(new Error(`${name}: ${answer.error}`));
    });
  });
  child.on('error', (error: NodeJS.ErrnoException) =>
    settle(({ reject }) => reject(error.code === 'ENOENT' ? new Unavailable('its program was not found.') : error)),
  );
  child.on('close', (code, signal) => {
    const last = errors.trim().split('\n').at(-1);
    settle(({ reject }) => reject(new Error(`${name} ended (${signal ?? `exit code ${code}`}): ${last}`)));
  });
  return { next: () => new Promise((resolve, reject) => (waiting = { resolve, reject })) };
}

interface PromiseWithResolver {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

const canStop = process.platform !== 'win32';

const pause = (child: ChildProcess): void => void (canStop && child.kill('SIGSTOP'));
const resume = (child: ChildProcess): void => void (canStop && child.kill('SIGCONT'));
