/**
 * Peak resident memory of a training run of a few steps and of inference, of this package and of PyTorch. Each round
 * starts every contender anew; the peak is the kernel's own count (VmHWM) for the process.
 *
 *   npm run build && npx tsx bench/memory.ts [--net NAMES] [--batch NS] [--threads N] [--task train,infer] [--rounds N]
 *                                            [--steps N] [--quick] [--json FILE]
 *
 * Without --net: ResNeXt-50 at batch 8 and a small net at batch 64. The weights of a process that has just started, its
 * runtime and its compiled code are in the figure, as they are in the machine.
 */
import { ourContender, pythonContender } from './children.ts';
import { alternate } from './harness.ts';
import { net, operationsOf } from './nets.ts';
import { type Case, commandLine, count, counts, introduce, main, printCase, toCase, writeResults } from './report.ts';

type Task = 'train' | 'infer';

await main(async () => {
  const { values } = commandLine({
    net: { type: 'string', default: 'resnext50_32x4d,resnext11_8x16d_w16' },
    batch: { type: 'string' },
    threads: { type: 'string' },
    task: { type: 'string', default: 'train,infer' },
  });
  const rounds = count('rounds', values.rounds, values.quick ? 1 : 3);
  const steps = count('steps', values.steps, values.quick ? 2 : 5);
  const threads = count('threads', values.threads, 2);
  introduce();
  const cases: Case[] = [];
  for (const name of values.net.split(',')) {
    for (const batch of counts('batch', values.batch, [name.endsWith('_w16') ? 64 : 8])) {
      for (const task of tasks(values.task)) cases.push(await compare(name, task, { batch, threads, rounds, steps }));
    }
  }
  await writeResults(values.json, 'memory', { cases });
});

function tasks(text: string): Task[] {
  return text.split(',').map((task) => {
    if (task === 'train' || task === 'infer') return task;
    throw new Error(`--task ${task} should be train, infer or both, separated by a comma.`);
  });
}

async function compare(
  name: string,
  task: Task,
  options: { batch: number; threads: number; rounds: number; steps: number },
): Promise<Case> {
  const { batch, threads, rounds, steps } = options;
  const measured = await net(name);
  const settings = { task, net: name, config: measured.config, batch, threads };
  const contenders = [
    ourContender('resnext', 'net', settings),
    pythonContender('PyTorch', 'torch_net.py', { ...settings, layout: 'nchw' }),
    pythonContender('PyTorch channels_last', 'torch_net.py', { ...settings, layout: 'channels_last' }),
  ];
  const results = await alternate(contenders, { rounds, steps, warmup: 0, restart: true });
  const title = `memory of ${task === 'train' ? 'training' : 'running'} ${name}`;
  const made = toCase(title, { batch, threads, rounds, steps }, results, operationsOf(measured, batch, task));
  printCase(made, 'memory');
  return made;
}
