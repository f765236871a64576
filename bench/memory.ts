/**
 * Peak resident memory of a few training steps and of inference, for this package and PyTorch. Each round restarts
 * every contender; the peak is the kernel's count (VmHWM) for the process.
 *
 *   npm run build && npx tsx bench/memory.ts [--network NAMES] [--batch NS] [--threads N] [--task train,infer] [--rounds N]
 *                                            [--steps N] [--quick] [--json FILE]
 *
 * Without --network: ResNeXt-50 at batch 8 and a small network at batch 64. The figure includes the runtime and the
 * compiled code of the process.
 */
import { ourContender, pythonContender } from './children.ts';
import { alternate } from './harness.ts';
import { network, operationsOf } from './networks.ts';
import { type Case, commandLine, count, counts, introduce, main, printCase, toCase, writeResults } from './report.ts';

type Task = 'train' | 'infer';

await main(async () => {
  const { values } = commandLine({
    network: { type: 'string', default: 'resnext50_32x4d,resnext11_8x16d_w16' },
    batch: { type: 'string' },
    threads: { type: 'string' },
    task: { type: 'string', default: 'train,infer' },
  });
  const rounds = count('rounds', values.rounds, values.quick ? 1 : 3);
  const steps = count('steps', values.steps, values.quick ? 2 : 5);
  const threads = count('threads', values.threads, 2);
  introduce();
  const cases: Case[] = [];
  for (const name of values.network.split(',')) {
    for (const batch of counts('batch', values.batch, [name.endsWith('_w16') ? 64 : 8])) {
      for (const task of tasks(values.task)) cases.push(await compare(name, task, { batch, threads, rounds, steps }));
    }
  }
  await writeResults(values.json, 'memory', { cases });
});

function tasks(text: string): Task[] {
  return text.split(',').map((task) => {
    if (task === 'train' || task === 'infer') return task;
    throw new Error(`--task is ${task}, but expected train, infer or both, separated by a comma.`);
  });
}

async function compare(
  name: string,
  task: Task,
  options: { batch: number; threads: number; rounds: number; steps: number },
): Promise<Case> {
  const { batch, threads, rounds, steps } = options;
  const measured = await network(name);
  const settings = { task, network: name, config: measured.config, batch, threads };
  const contenders = [
    ourContender('resnext', 'network', settings),
    pythonContender('PyTorch', 'torch_network.py', { ...settings, layout: 'nchw' }),
    pythonContender('PyTorch channels_last', 'torch_network.py', { ...settings, layout: 'channels_last' }),
  ];
  const results = await alternate(contenders, { rounds, steps, warmup: 0, restart: true });
  const title = `memory of ${task === 'train' ? 'training' : 'running'} ${name}`;
  const made = toCase(title, { batch, threads, rounds, steps }, results, operationsOf(measured, batch, task));
  printCase(made, 'memory');
  return made;
}
