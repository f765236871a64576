/** The child's side of `children.ts`: reports that it is ready, then measures a step for every line of input. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** The measured task: the duration of `step`, or the milliseconds that `step` returns if it measures itself. */
export interface Task {
  readonly facts: {
    readonly parameters?: number;
    readonly versions?: Readonly<Record<string, string>>;
    readonly logits?: readonly number[];
  };
  readonly step: () => Promise<number | undefined>;
}

/** Starts the task with the settings in the last argument and serves it until the end of the input. */
export async function serve<Settings>(start: (settings: Settings) => Promise<Task>): Promise<void> {
  try {
    const task = await start(JSON.parse(process.argv.at(-1)!) as Settings);
    say({ ready: task.facts });
    for await (const _ of createInterface(process.stdin)) {
      const began = performance.now();
      const measured = await task.step();
      say({ milliseconds: measured ?? performance.now() - began, rss: peakMemory() });
    }
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    if (code === 'ERR_MODULE_NOT_FOUND') say({ unavailable: `${/'([^']+)'/.exec(message)?.[1]} is not installed.` });
    else say({ error: message });
  }
  process.exit();
}

const say = (answer: object): void => console.log(JSON.stringify(answer));

/** The versions of Node and an installed package. */
export function version(name: string): Record<string, string> {
  const file = new URL('package.json', import.meta.resolve(`${name}/package.json`));
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return { node: process.versions.node, [name]: version };
}

/** Peak resident memory of this process so far, in bytes. */
function peakMemory(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const kilobytes = /^VmHWM:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1];
  return Number(kilobytes) * 1024;
}
