/** The folder of a run: who may use it, what a start that failed leaves in it, and what it tells about the run. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resume, type TrainEvent, type TrainOptions, train } from 'resnext';
import { readSafetensorsFile, writeSafetensorsFile } from 'resnext/weights';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { run } from './command.ts';
import { seeded } from './tensors.ts';

let dir: string;
let data: string;
let done: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-run-folder-'));
  data = join(dir, 'images');
  const random = seeded(1);
  for (const name of ['a', 'b']) {
    mkdirSync(join(data, name), { recursive: true });
    for (let i = 0; i < 12; i++) {
      const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, () => random.number(0, 255));
      const raw = { width: 8, height: 8, channels: 3 } as const;
      await sharp(pixels, { raw })
        .png()
        .toFile(join(data, name, `${i}.png`));
    }
  }
  done = join(dir, 'done');
  await train({ ...base(), out: done });
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

const base = () => ({
  ...{ data, variant: 'resnext11_4x16d_w16', size: 8, epochs: 2, batch: 4, learningRate: 0.01 },
  ...{ threads: 1, workers: 0 },
});

let folders = 0;
const newFolder = () => join(dir, 'runs', `${folders++}`);

/** A run that is stopped after some steps. */
async function stopped(steps: number, given: Partial<TrainOptions> = {}): Promise<string> {
  const out = newFolder();
  const stop = new AbortController();
  let count = 0;
  const onEvent = ({ event }: TrainEvent) => event === 'step' && ++count === steps && stop.abort();
  await train({ ...base(), out, ...given }, { onEvent, signal: stop.signal });
  return out;
}

async function startOf(run: (onEvent: (event: TrainEvent) => void) => Promise<unknown>) {
  const events: TrainEvent[] = [];
  await run((event) => events.push(event));
  return events[0] as Extract<TrainEvent, { event: 'start' }>;
}

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

describe('a new run is refused in', () => {
  it('the folder of another, unless it replaces it', async () => {
    const out = newFolder();
    cpSync(done, out, { recursive: true });
    writeFileSync(join(out, 'notes.txt'), 'mine');
    await expect(train({ ...base(), out })).rejects.toThrow(
      /already contains a training run\. Continue it with resume\(".*"\), .* overwrite\.$/,
    );
    await train({ ...base(), out, epochs: 1, overwrite: true });
    expect(readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n')).toHaveLength(1);
    expect(read(join(out, 'run.json'))).toMatchObject({ state: 'finished', sessions: [{ epoch: 1 }] });
    expect(readFileSync(join(out, 'notes.txt'), 'utf8')).toBe('mine');
  });

  it('a folder with a model, which stays as it is', async () => {
    const out = newFolder();
    mkdirSync(out, { recursive: true });
    cpSync(join(done, 'model.safetensors'), join(out, 'model.safetensors'));
    await expect(train({ ...base(), out })).rejects.toThrow(
      /already contains a model, model\.safetensors\. Choose another/,
    );
    expect(readdirSync(out)).toEqual(['model.safetensors']);
  });

  it('a folder with other files', async () => {
    await expect(train({ ...base(), out: data })).rejects.toThrow(
      /images" is not empty: it contains a, b\. Choose another/,
    );
    const out = newFolder();
    mkdirSync(join(out, 'checkpoints'), { recursive: true });
    writeFileSync(join(out, 'checkpoints/epoch1.pth'), '');
    await expect(train({ ...base(), out })).rejects.toThrow(/is not empty: it contains checkpoints\./);
  });

  it('a folder in use, and so is a second resumption', async () => {
    const out = newFolder();
    const refusals: Promise<unknown>[] = [];
    const onEvent = ({ event }: TrainEvent) => {
      if (event !== 'epoch') return;
      refusals.push(train({ ...base(), out, overwrite: true }).catch(String), resume(out).catch(String));
    };
    await train({ ...base(), out, epochs: 1 }, { onEvent });
    for (const refusal of refusals)
      expect(await refusal).toMatch(/is in use by a run .* Wait until it ends, or stop it\./);
    expect(refusals).toHaveLength(2);
    await resume(out, { epochs: 2 });
    expect(existsSync(join(out, 'run.lock'))).toBe(false);
  });
});

describe('a start that failed', () => {
  it.each([
    ['a loss that is no number', { learningRate: 1e30 }],
    ['a loss that is no number in validation', { learningRate: 1e38, batch: 16 }],
    ['no such folder of images', { data: 'nowhere' }],
    ['a provider that is missing', { providers: ['none'] }],
  ])('by %s leaves nothing', async (_, given) => {
    const out = newFolder();
    await expect(train({ ...base(), out, ...given })).rejects.toThrow();
    expect(existsSync(out)).toBe(false);
    mkdirSync(out, { recursive: true });
    await expect(train({ ...base(), out, ...given })).rejects.toThrow();
    expect(readdirSync(out)).toEqual([]);
  });

  it('by a kill before the first step, or diverging after a checkpoint, is replaced', async () => {
    const killed = newFolder();
    const aborted = AbortSignal.abort();
    await train({ ...base(), out: killed }, { signal: aborted });
    writeFileSync(join(killed, 'run.lock'), '{}');
    writeFileSync(join(killed, 'checkpoints/last.safetensors.00000000-0000-0000-0000-000000000000.tmp'), '');
    const diverged = newFolder();
    await expect(train({ ...base(), out: diverged, learningRate: 1e30, checkpointEvery: 0 })).rejects.toThrow(/became/);
    expect(read(join(diverged, 'run.json')).state).toBe('diverged');
    for (const out of [killed, diverged]) {
      await train({ ...base(), out, epochs: 1 });
      expect(readdirSync(join(out, 'checkpoints')).sort()).toEqual(['best.safetensors', 'last.safetensors']);
      expect(read(join(out, 'run.json'))).toMatchObject({ state: 'finished', sessions: [{ epoch: 1, step: 0 }] });
    }
  });

  it('does not cost the run that it was to replace', async () => {
    const out = newFolder();
    cpSync(done, out, { recursive: true });
    await expect(train({ ...base(), out, overwrite: true, batch: 1000 })).rejects.toThrow(/batch is 1000/);
    expect(await resume(out)).toMatchObject({ interrupted: false });
  });
});

test('a run that has nothing left to do stays as it is, whatever the options', async () => {
  const out = newFolder();
  cpSync(done, out, { recursive: true });
  const contents = () =>
    readdirSync(out, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), 'base64')]);
  const before = contents();
  const result = await resume(out, { epochs: 1, learningRate: 0.7, threads: 1, workers: 0 });
  expect(result).toMatchObject({ interrupted: false, endedEarly: false });
  expect(contents()).toEqual(before);
});

test('temporary files of killed processes are removed when the run is resumed, and no others', async () => {
  const out = await stopped(2);
  const left = '.12345678-1234-1234-1234-123456789abc.tmp';
  const names = [`model.json${left}`, `checkpoints/last.safetensors${left}`, `other.onnx${left}`, 'model.json.tmp'];
  for (const name of names) writeFileSync(join(out, name), '');
  await resume(out);
  expect(names.filter((name) => existsSync(join(out, name)))).toEqual(names.slice(2));
});

describe('what a run tells', () => {
  it('in run.json and model.json: options, images, versions and machine', async () => {
    const record = read(join(done, 'run.json'));
    expect(record).toMatchObject({
      state: 'finished',
      options: { data, out: done, seed: 1, epochs: 2, learningRate: 0.01, momentum: 0.9, threads: 1 },
      data: { folder: data, train: 18, validation: 6, validationFrom: 'held out of the training images' },
      network: { variant: 'resnext11_4x16d_w16' },
      versions: { node: process.versions.node, resnext: read(join(import.meta.dirname, '../package.json')).version },
      sessions: [{ epoch: 1, step: 0, threads: 1, versions: { node: process.versions.node } }],
    });
    expect(record.data.classes.map(({ name }: { name: string }) => name)).toEqual(['a', 'b']);
    expect(record.machine.cpu).toEqual(expect.any(String));
    const { options, data: images, network, versions, machine } = record;
    expect(read(join(done, 'model.json')).training).toEqual({ options, data: images, network, versions, machine });
    expect((await readSafetensorsFile(join(done, 'model.safetensors'))).metadata.get('resnext')).not.toContain(
      'training',
    );
  });

  it('of a resumed run: each session', async () => {
    const out = await stopped(2);
    expect(read(join(out, 'run.json')).state).toBe('interrupted');
    await resume(out, { threads: 2 });
    expect(read(join(out, 'run.json'))).toMatchObject({
      state: 'finished',
      sessions: [
        { step: 0, threads: 1 },
        { step: 2, threads: 2 },
      ],
    });
  });

  it('whose number of threads is another, which may change the last bits', async () => {
    const out = await stopped(2);
    const path = join(out, 'checkpoints/last.safetensors');
    const { tensors, metadata } = await readSafetensorsFile(path);
    expect(metadata.get('threads')).toBe('1');
    await writeSafetensorsFile(path, tensors, new Map([...metadata, ['threads', '8']]));
    const start = await startOf((onEvent) => resume(out, { threads: 2 }, { onEvent }));
    expect(start.notes).toEqual([
      'The run used 8 threads until now and goes on with 2, so the last bits of its weights may differ. To keep them, resume it with --threads 8.',
    ]);
    expect((await startOf((onEvent) => resume(out, { threads: 2 }, { onEvent }))).notes).toBeUndefined();
  });
});

describe('evaluate', () => {
  it('says that a run was trained on the images, and how it does on the others', async () => {
    const file = join(dir, 'predictions.jsonl');
    const { code, stderr } = await run('evaluate', data, '--model', done, '-o', file);
    const { classes } = read(join(done, 'split.json')) as {
      classes: { name: string; train: string[]; validation: string[] }[];
    };
    const held = classes.flatMap(({ name, validation }) => validation.map((image) => join(data, name, image)));
    const predictions = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const right = predictions.filter(({ path, correct }) => held.includes(path) && correct);
    const top1 = ((100 * right.length) / held.length).toFixed(2);
    expect(stderr).toContain(
      `The model was trained on ${24 - held.length} of these 24 images. On the ${held.length} others, top-1 is ${top1} %.`,
    );
    expect(code).toBe(0);
  });

  it('says so of a model within the folder of a run, too', async () => {
    const { stderr } = await run('evaluate', data, '--model', join(done, 'checkpoints/best.safetensors'));
    expect(stderr).toContain('The model was trained on ');
  });

  it('says nothing of it on a copy elsewhere', async () => {
    const copy = join(dir, 'copy');
    cpSync(data, copy, { recursive: true });
    expect((await run('evaluate', copy, '--model', done)).stderr).not.toContain('trained on');
  });
});

describe('a resumed run', () => {
  it('on images of which one is gone starts its epoch over and ends', async () => {
    const copy = join(dir, 'copy');
    cpSync(data, copy, { recursive: true });
    const out = await stopped(7, { data: copy });
    const { classes } = read(join(out, 'split.json'));
    rmSync(join(copy, 'a', classes[0].train[0]));
    const start = await startOf((onEvent) => resume(out, { threads: 1 }, { onEvent }));
    expect(start).toMatchObject({ train: 17, validation: 6, epoch: 1, step: 0 });
    expect(start.notes).toEqual([
      `Since the run was saved, 1 image was removed (a/${classes[0].train[0]}). Epoch 2 starts over.`,
    ]);
    expect(read(join(out, 'run.json')).state).toBe('finished');
    expect(read(join(out, 'split.json')).classes[1]).toEqual(classes[1]);
  });

  it.each([
    [{ seed: 99 }, /^seed is 99, but the run in ".*" has 1 and cannot change it\. Remove seed\.$/],
    [{ validation: 0.5 }, /^validation is 0\.5, but the run in ".*" has 0\.2 and cannot change it/],
    [{ overwrite: true }, /^A resumed run continues in its own folder\. Remove overwrite\.$/],
  ])('does not take %j', async (given, reason) => {
    await expect(resume(done, { epochs: 3, ...given })).rejects.toThrow(reason);
  });
});
