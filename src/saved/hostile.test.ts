/**
 * Files whose description asks for an enormous network: each is refused with a sentence, before the network is built.
 * Each is opened in a process of its own with little memory, since building it would end the process or never return.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { safetensorsFile } from '../../test/hostile-files.ts';
import { preprocessingFor } from '../data/presets.ts';
import { FormatError } from '../errors.ts';
import { Builder } from '../graph/builder.ts';
import { type ResNeXtOptions, resolveConfig } from '../model/config.ts';
import { resnext } from '../model/resnext.ts';
import { variant, variants } from '../model/variants.ts';
import { writeOnnx } from '../onnx/write.ts';
import { resolve } from '../options.ts';
import { recipe } from '../train/options.ts';
import { readDescription, writeDescription } from './description.ts';

const small: ResNeXtOptions = { depths: [1, 1], cardinality: 2, baseWidth: 8, width: 16, stem: 'cifar', classes: 2 };
const preprocessing = preprocessingFor({ images: 'small', size: 32 });
const described = (changes: object, images: object = {}): string =>
  JSON.stringify({
    variant: 'small',
    config: { ...resolveConfig(small), ...changes },
    classes: ['a', 'b'],
    preprocessing: { ...preprocessing, ...images },
    metrics: {},
  });

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostile-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const script = (call: string) => `
import { loadModel } from ${JSON.stringify(new URL('../../dist/saved/files.js', import.meta.url).href)};
import { readCheckpoint } from ${JSON.stringify(new URL('../../dist/train/checkpoint.js', import.meta.url).href)};
try {
  const { report } = await ${call}(process.argv[1]);
  console.log(['read', ...(report?.notes ?? [])].join(' '));
} catch (error) {
  console.log(error.name + ': ' + error.message);
}
`;

/** What opening a file printed, in 20 s and 200 MB of JavaScript objects. */
async function opened(name: string, bytes: Uint8Array, call = 'loadModel'): Promise<string> {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  const options = ['--max-old-space-size=200', '--input-type=module', '-e', script(call), path];
  const { stdout } = await promisify(execFile)(process.execPath, options, { timeout: 20_000 });
  return stdout.trim();
}

/** A safetensors file with these metadata and `count` tensors of one number. */
function weights(metadata: Readonly<Record<string, string>>, names: readonly string[] = []): Uint8Array {
  const entries = names.map(
    (name, i) => [name, { dtype: 'F32', shape: [1], data_offsets: [4 * i, 4 * i + 4] }] as const,
  );
  const header = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  return safetensorsFile(header, new Uint8Array(4 * names.length));
}

function onnx(description: string): Uint8Array {
  const b = new Builder('network');
  b.output(b.op('Relu', [b.input('input', ['N', 3, 32, 32])]), 'logits');
  b.graph.metadata.set('resnext', description);
  return writeOnnx(b.graph);
}

const recipeOf = (changes: object): object => ({
  ...resolve(recipe, { data: 'images', out: 'run' }),
  ...changes,
});

const names = (model: ResNeXtOptions): string[] => resnext(model).parameters.map(({ value }) => value.name);

const enormous: readonly [string, object, string][] = [
  ['a billion blocks', { depths: [1e9] }, 'blocks in depths is 1000000000'],
  ['a thousand times a thousand blocks', { depths: [999, 999] }, 'blocks in depths is 1998'],
  ['5000 stages', { depths: Array(5000).fill(1) }, 'stages in depths is 5000'],
  ['900 stages and an output stride', { depths: Array(900).fill(1), outputStride: 3 }, 'stages in depths is 900'],
  ['a billion branches', { cardinality: 1e9, form: 'A' }, 'cardinality is 1000000000'],
  ['many branches in form A', { cardinality: 60_000, form: 'A' }, 'branches in form A is 120000'],
  ['many branches in form B', { depths: [400], cardinality: 60, form: 'B' }, 'branches in form B is 24000'],
  ['a vast input', { inputSize: [1e9, 32] }, 'inputSize is 1000000000'],
  ['wide stages', { width: 1e15 }, 'width is 1000000000000000'],
];

describe.each(enormous)('a description of %s', (_, changes, message) => {
  test('is refused in weights, ONNX and a checkpoint', async () => {
    const metadata = { options: JSON.stringify(recipeOf({})), classes: '["a","b"]', progress: '{}' };
    const outcomes = [
      await opened('model.safetensors', weights({ resnext: described(changes) })),
      await opened('model.onnx', onnx(described(changes))),
      await opened('last.safetensors', weights({ ...metadata, description: described(changes) }), 'readCheckpoint'),
    ];
    for (const outcome of outcomes) {
      expect(outcome).toMatch(/^FormatError: [^\n]*\.$/);
      expect(outcome).toContain(message);
    }
  });
});

test('a network with more blocks or branches than its file has tensors is refused', async () => {
  const blocks = described({ depths: [1000] });
  expect(await opened('a.safetensors', weights({ resnext: blocks }, ['x']))).toContain(
    'has 1 tensors, but the network',
  );
  expect(await opened('a.onnx', onnx(blocks))).toContain('has 1 nodes, but the network');
  const branches = { ...small, depths: [4, 4], cardinality: 2000 };
  const bytes = weights({ resnext: described({ ...branches, form: 'A' }) }, names(branches));
  expect(await opened('b.safetensors', bytes)).toMatch(/FormatError: .* is \[1\], but the network in the file's desc/);
});

test('images of a billion pixels are refused', () => {
  for (const images of [{ size: 1e9 }, { resize: 1e9 }]) {
    expect(() => readDescription(described({}, images), 'a.onnx')).toThrow(FormatError);
  }
});

test('a deeply nested description is refused', () => {
  const text = `{"variant":${'['.repeat(1e6)}`;
  expect(() => readDescription(text, 'a.onnx')).toThrow(/^a\.onnx: the model's description cannot be read: .* deep\.$/);
});

test('a checkpoint whose options name an enormous network, or a long name, is refused', async () => {
  for (const [variant, message] of [
    ['resnext29_1000000000x4d', 'cardinality is 1000000000'],
    ['resnext272_1024x4d', 'branches in form A is 92160'],
    [`resnext${'9'.repeat(1e6)}_1x1d`, 'is not a variant'],
  ] as const) {
    const options = JSON.stringify(recipeOf({ variant, form: 'A' }));
    const outcome = await opened(
      'c.safetensors',
      weights({ options, classes: '["a"]', progress: '{}' }),
      'readCheckpoint',
    );
    expect(outcome).toMatch(/^FormatError: .*c\.safetensors: the options in the checkpoint describe no network/);
    expect(outcome).toContain(message);
  }
});

test('a config.json that asks for vast images, or is vast, is ignored with a note', async () => {
  const cfg = { input_size: [3, 32, 32], crop_pct: 1e-300, mean: [0, 0, 0], std: [1, 1, 1] };
  for (const [text, note] of [
    [JSON.stringify({ pretrained_cfg: cfg }), 'asks for images of'],
    [`{"a":"${'x'.repeat(2 ** 22)}"}`, 'has 4194312 bytes, but expected at most 4194304'],
  ] as const) {
    const path = new URL('../../test/checkpoints/float32.safetensors', import.meta.url);
    writeFileSync(join(folder, 'config.json'), text);
    expect(await opened('external.safetensors', readFileSync(path))).toContain(note);
    rmSync(join(folder, 'config.json'));
  }
});

test('a file with a network per tensor is refused', async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => `p${i}.layer1.0.conv2.weight`);
  expect(await opened('d.safetensors', weights({}, many))).toContain('for 20000 networks, but expected at most 64');
});

test('every published variant fits in every form', () => {
  for (const name of variants) {
    for (const form of ['A', 'B', 'C'] as const) {
      const config = resolveConfig({ ...variant(name), form });
      const text = writeDescription({ variant: name, config, classes: [], preprocessing, metrics: {} });
      expect(readDescription(text, name).config).toEqual(config);
    }
  }
});
