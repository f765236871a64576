/**
 * State dicts in every naming scheme are recognized, imported, compared with PyTorch's logits on the runtime
 * (`src/checkpoints/golden`), and written back. The numbers in the golden tensors follow from their indices, as in
 * `make.py`.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { importWeights } from '../src/checkpoints/import.ts';
import { recognize } from '../src/checkpoints/recognize.ts';
import { layoutNames, writeStateDict } from '../src/checkpoints/write.ts';
import { branchWidth, type ResNeXtConfig, type ResNeXtOptions } from '../src/model/config.ts';
import { initialWeights } from '../src/model/init.ts';
import { type Model, resnext } from '../src/model/resnext.ts';
import { setWeights, weightSpecs } from '../src/model/weights.ts';
import { Session } from '../src/platform/node.ts';
import { elements, type Tensor, tensor } from '../src/tensor.ts';
import type { StoredTensor } from '../src/weights/state-dict.ts';
import { goldenInput, numbers } from './golden-numbers.ts';
import { smallConfig } from './random-configs.ts';
import { relativeError } from './tensors.ts';

interface Case {
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  readonly logits: readonly number[];
}

const cases: Readonly<Record<string, Case>> = JSON.parse(
  readFileSync(new URL('../src/checkpoints/golden/layouts.json', import.meta.url), 'utf8'),
);

function goldenTensor(name: string, seed: number, dims: readonly number[]): Tensor {
  if (name.endsWith('num_batches_tracked')) return tensor('int64', dims, BigInt64Array.of(7n));
  const scale = Math.sqrt(6 / elements(dims.slice(1)));
  const isScale = name.endsWith('running_var') || name.endsWith('weight');
  const value =
    dims.length > 1 ? (u: number) => (2 * u - 1) * scale : (u: number) => (isScale ? 0.5 + u : 0.4 * u - 0.2);
  return tensor('float32', dims, Float32Array.from(numbers(seed, elements(dims)), value));
}

/** Tensors as if stored in a file; `read` collects the names of those that were read. */
function stored(tensors: ReadonlyMap<string, Tensor>, read: string[] = []): Map<string, StoredTensor> {
  return new Map(
    Array.from(tensors, ([name, whole]) => {
      const once = () => {
        read.push(name);
        return whole;
      };
      return [name, { dtype: whole.dtype, dims: whole.dims, read: once }];
    }),
  );
}

const golden = (name: string): Map<string, Tensor> =>
  new Map(Object.entries(cases[name]!.tensors).map(([key, dims], seed) => [key, goldenTensor(key, seed, dims)]));

const small: ResNeXtOptions = { depths: [1, 2], cardinality: 4, baseWidth: 8, width: 32 };
const deep = { stem: 'deep', shortcut: 'D' } as const;
const senet = { ...small, stem: 'deep', stemWidth: 64, attention: 'se', halvedSplit: true, shortcutKernel: 3 } as const;
const imagenet: ResNeXtOptions = { depths: [1, 2, 1, 1], cardinality: 8, baseWidth: 4, width: 64 };
const cifar: ResNeXtOptions = { depths: [1, 2, 1], cardinality: 2, baseWidth: 16, width: 64, stem: 'cifar' };

/** Golden case, layout, config, and a hint if the tensors are ambiguous. */
const expected: [name: string, layout: string, config: ResNeXtOptions, hint?: string][] = [
  ['torchvision', 'torchvision', { ...imagenet, cardinality: 4, baseWidth: 8 }],
  ['resnet, in parallel', 'torchvision', { depths: [1, 1, 1, 1], cardinality: 1, baseWidth: 64, width: 64 }],
  ['timm se', 'timm', { ...small, attention: 'se' }],
  ['timm d', 'timm', { ...small, ...deep }],
  ['timm t eca', 'timm', { ...small, stem: 'tiered', shortcut: 'D', attention: 'eca' }],
  [
    'timm seaa d',
    'timm',
    { ...small, ...deep, stemWidth: 64, attention: 'se', antialias: true, stemPool: 'average' },
    'timm/seresnextaa10d_4x8d.x',
  ],
  ['legacy se', 'legacy-se', { ...small, attention: 'se', stemPool: 'max-ceil' }],
  ['senet154', 'legacy-se', { ...senet, stemPool: 'max-ceil' }],
  ['prlz77', 'prlz77', cifar],
  ['nas-bench', 'nas-bench', cifar],
  ['mmpretrain', 'mmpretrain', imagenet],
  ['mmpretrain se', 'mmpretrain', { ...small, attention: 'se' }],
  ['mmpretrain d', 'mmpretrain', { ...small, ...deep }],
  ['pytorchcv', 'pytorchcv', imagenet],
  ['pytorchcv cifar', 'pytorchcv', { ...cifar, width: 16 }],
  ['pytorchcv se', 'pytorchcv', { ...small, attention: 'se' }],
  ['pytorchcv senet', 'pytorchcv', senet],
  ['torch7', 'torch7', { ...imagenet, width: 16 }],
  ['torch7 cifar', 'torch7', { ...cifar, width: 16 }],
];

const withoutCounts = (weights: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map([...weights].filter(([name]) => !name.endsWith('.num_batches_tracked')));

test('every golden case is expected', () => {
  expect(expected.map(([name]) => name)).toEqual(Object.keys(cases));
});

describe.each(expected)('%s', (name, layout, config, hint = '') => {
  const full = resnext({ ...config, classes: 5 }).config;

  test('is recognized, and has PyTorch’s logits', async () => {
    const read: string[] = [];
    const imported = importWeights(stored(golden(name), read), { hint });
    expect(imported.config).toEqual(full);
    expect(imported.report).toMatchObject({ layout, adapted: [], unexpected: [], missing: [], converted: {} });
    expect(imported.report.loaded).toBe(withoutCounts(imported.weights).size);
    expect(new Set(read).size).toBe(read.length);

    const model = resnext({ ...imported.config, inputSize: 32 });
    setWeights(model, imported.weights);
    const images = goldenInput(2 * 3 * 32 * 32);
    const session = await Session.open(model.graph, { threads: 1 });
    const { data } = (await session.run(new Map([['input', tensor('float32', [2, 3, 32, 32], images)]]))).get(
      'logits',
    )!;
    await session.dispose();
    expect(relativeError({ data }, { data: Float64Array.from(cases[name]!.logits) })).toBeLessThan(1e-5);
  });

  test.skipIf(layout === 'torch7')('is written back unchanged', () => {
    const { config: found, weights } = importWeights(stored(golden(name)), { hint });
    const written = writeStateDict(resnext(found), weights, layout, 7);
    const names = Object.keys(cases[name]!.tensors).map((key) => key.replace(/^module\./, ''));
    expect([...written.keys()].sort()).toEqual(names.sort());
  });
});

/** Networks without what few layouts can name. */
const plainConfig = smallConfig.map(
  (config) => ({ ...config, attention: 'none', antialias: false, halvedSplit: false }) as const,
);

describe('a random network', () => {
  /** The part of a config that tensors reveal. */
  const told = ({ depths, cardinality, baseWidth, width, stem, ...config }: ResNeXtConfig) => ({
    ...{ depths, cardinality, width, stem },
    branches: depths.map((_, s) => branchWidth(width * 2 ** s, baseWidth)),
    ...(stem === 'deep' || stem === 'tiered' ? { stemWidth: config.stemWidth } : {}),
    ...(depths.some((depth) => depth > 1) && depths.length > 1 ? { shortcut: config.shortcut } : {}),
    ...(depths.length > 1 ? { shortcutKernel: config.shortcutKernel } : {}),
    ...{ attention: config.attention, halvedSplit: config.halvedSplit },
    ...{ classes: config.classes, inputChannels: config.inputChannels },
  });

  test('is recognized in every layout that can name it', () => {
    const written = new Map(layoutNames.map((layout) => [layout, 0]));
    fc.assert(
      fc.property(fc.oneof(smallConfig, plainConfig), (drawn) => {
        for (const layout of layoutNames) {
          const stemPool = layout === 'legacy-se' ? 'max-ceil' : 'max';
          const isFree = layout === 'timm' || drawn.stem === 'cifar';
          const model = resnext(
            isFree ? drawn : { ...drawn, stemPool, antialias: false, inputSize: 32, outputStride: 0 },
          );
          if (isGivenBack(model, layout)) written.set(layout, written.get(layout)! + 1);
        }
      }),
      { numRuns: 80 },
    );
    expect(Math.min(...written.values())).toBeGreaterThan(0);
  });

  /** Whether a layout can name a network; if so, expects it to be recognized. */
  function isGivenBack(model: Model, layout: string): boolean {
    const weights = initialWeights(model, 1);
    let named: Map<string, Tensor>;
    try {
      named = writeStateDict(model, weights, layout);
    } catch (error) {
      expect(String(error)).toMatch(/^UsageError: .* has no name/);
      return false;
    }
    const { antialias, classes, depths } = model.config;
    const keepsSingle = classes === 1 && { classes }; // by default, a single output becomes one of two classes
    const found = importWeights(stored(named), { hint: antialias ? 'resnextaa[1]' : '', ...keepsSingle });
    expect(told(found.config)).toEqual(told(model.config));
    expect(found.config.antialias).toBe(antialias);
    const given = withoutCounts(found.weights);
    expect([...given.values()]).toEqual([...weights.values()]);
    const isSame = depths.length > 1 || layout !== 'mmpretrain'; // a single stage has no pooling that reveals shortcut D
    if (isSame) expect(given).toEqual(weights);
    expect(found.report.unexpected).toEqual([]);
    return true;
  }

  test('is never mistaken for another when its tensors’ shapes change', () => {
    fc.assert(
      fc.property(
        smallConfig,
        fc.nat(),
        fc.nat(),
        fc.constantFrom(0, -1, 1, 1.5, 2 ** 40, 2 ** 60),
        (config, at, axis, size) => {
          const model = resnext(config);
          const shapes = new Map(weightSpecs(model).map(({ name, dims }) => [name, { dims }]));
          const [name, { dims }] = [...shapes][at % shapes.size]!;
          fc.pre(dims[axis % dims.length] !== size && !name.startsWith('fc.') && !/^conv1(\.0)?\./.test(name));
          shapes.set(name, { dims: dims.with(axis % dims.length, size) });
          let found: ReturnType<typeof recognize> | undefined;
          try {
            found = recognize(shapes);
          } catch (error) {
            expect(String(error)).toMatch(/^FormatError: The state dict.*\.$/);
          }
          if (found)
            for (const spec of weightSpecs(resnext(found.config)))
              expect(shapes.get(spec.name)).toEqual({ dims: spec.dims });
        },
      ),
      { numRuns: 300 },
    );
  });
});
