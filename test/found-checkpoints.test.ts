/**
 * Checkpoints in which the network has to be found (`test/checkpoints/make_found.py`): sliced and wrapped networks, modules
 * that are registered twice, whole models, TorchScript and shards of PyTorch. Each gives PyTorch's logits.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Classifier, load, loadModel, readModel } from 'resnext';
import { describe, expect, test } from 'vitest';
import { json, run } from './command.ts';
import { goldenInput } from './golden-numbers.ts';

interface Expected {
  /** Height and width of the input. */
  readonly size: number;
  readonly logits: readonly number[];
}

const path = (file: string): string => fileURLToPath(new URL(`checkpoints/${file}`, import.meta.url));
const expected: Readonly<Record<string, Expected>> = JSON.parse(readFileSync(path('found.json'), 'utf8'));

const usual = 'Using the default preprocessing: 224 x 224 pixels.';
const whole = (kind: string): string => `Read the tensors of ${kind}.`;

const files: [file: string, found: { layout: string; prefix: string; notes: string[] }, index?: string][] = [
  [
    'found/fastai.pth',
    {
      layout: 'nn.Sequential',
      prefix: '0.',
      notes: [
        'Using the weights under "model"; the file also contains opt.',
        'Merged the batch normalization "1.2" into the classifier "1.4", assuming an epsilon of 1e-5 and no activation between them.',
      ],
    },
  ],
  ['found/sequential.pth', { layout: 'nn.Sequential', prefix: '', notes: [] }],
  ['found/registered-twice.pth', { layout: 'torchvision', prefix: 'base.', notes: [] }],
  [
    'found/wrapped.pth',
    {
      layout: 'torchvision',
      prefix: 'backbone.',
      notes: [
        'Using the weights under "state_dict"; the file also contains meta, message_hub, time, counts, path, cfg, args, stats.',
        expect.stringMatching(
          /^Left out what weights do not need, without executing it: mmengine\.logging\.history_buffer\.HistoryBuffer, numpy\.core\.multiarray\._reconstruct, .* and \d more\.$/,
        ),
      ],
    },
  ],
  [
    'found/teacher.pth',
    {
      layout: 'torchvision',
      prefix: '',
      notes: [
        'Using the weights under "runs", "0", "teacher_weights"; the file also contains epoch, student.',
        'Other networks are under "student"; choose one with key (--key).',
      ],
    },
  ],
  [
    'found/whole.pth',
    { layout: 'torchvision', prefix: '', notes: [whole('a model that was pickled as a whole (networks.Narrow)')] },
  ],
  [
    'found/whole-stream.pth',
    { layout: 'torchvision', prefix: '', notes: [whole('a model that was pickled as a whole (networks.Narrow)')] },
  ],
  ['found/script.pt', { layout: 'torchvision', prefix: '', notes: [whole('a TorchScript archive (networks.Narrow)')] }],
  ['found/bin', { layout: 'torchvision', prefix: '', notes: [] }, 'found/bin/pytorch_model.bin.index.json'],
];

test('every file has its line here', () => {
  expect(files.map(([file, , index]) => index ?? file).sort()).toEqual(Object.keys(expected).sort());
});

describe.each(files)('%s', (file, { layout, prefix, notes }, index) => {
  test('is recognized, with every tensor of its network', async () => {
    const { description, report } = await loadModel(path(file));
    expect(report).toMatchObject({ layout, prefix, unexpected: [], notes: [...notes, usual] });
    expect(report?.missing.filter((name) => !name.endsWith('num_batches_tracked'))).toEqual([]);
    expect(description).toMatchObject({ variant: 'resnext[1,1]_4x16d_w8', config: { classes: 5 } });
  });

  test('gives PyTorch’s logits', async () => {
    const { size, logits } = expected[index ?? file]!;
    const model = await load(path(file), { cache: false });
    const actual = await model.logits(goldenInput(3 * size * size));
    await model.dispose();
    const error = Math.max(...logits.map((logit, k) => Math.abs(actual[k]! - logit)));
    expect(error / Math.max(...logits.map(Math.abs))).toBeLessThan(1e-5);
  });
});

test('class names are found at any depth', async () => {
  expect((await loadModel(path('found/wrapped.pth'))).description.classes).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('a head of two linear layers is dropped with a sentence, and the features remain', async () => {
  const { description, report } = await loadModel(path('found/deep-head.pth'));
  expect(description.config.classes).toBe(0);
  expect(report?.notes[0]).toBe(
    'Dropped the head, which has several layers ("fc.0.weight" and others): the network outputs features.',
  );
});

describe('a key', () => {
  test('chooses another network of a checkpoint', async () => {
    const { report } = await loadModel(path('found/teacher.pth'), { key: 'student' });
    expect(report?.notes[0]).toBe('Using the weights under "student"; the file also contains epoch, runs.');
    const summary = await json<{ report: { notes: string[] } }>(
      'summary',
      path('found/teacher.pth'),
      '--key',
      'student',
    );
    expect(summary.report.notes[0]).toBe(report?.notes[0]);
  });

  test('chooses in bytes as well as in a file', async () => {
    const bytes = readFileSync(path('found/teacher.pth'));
    const { report } = await readModel(bytes, { key: 'student' });
    expect(report?.notes[0]).toBe('Using the weights under "student"; the file also contains epoch, runs.');
    const classifier = await Classifier.open(bytes, { key: 'student' });
    expect(classifier.notes).toContain(report?.notes[0]);
    await classifier.dispose();
  });

  test('chooses among the names of tensors', async () => {
    const { report } = await loadModel(path('found/registered-twice.pth'), { key: 'features' });
    expect(report).toMatchObject({ layout: 'nn.Sequential', prefix: 'features.', unexpected: [] });
  });

  test('that is not in the file is refused with those that are', async () => {
    const { code, stderr } = await run('summary', path('found/teacher.pth'), '--key', 'ema');
    expect(code).toBe(1);
    expect(stderr).toContain(
      'found/teacher.pth has no tensors under the key "ema", but has them under "runs.0.teacher_weights", "student". Choose another key, or leave it out.',
    );
  });
});
