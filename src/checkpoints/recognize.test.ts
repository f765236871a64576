import { describe, expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import type { ResNeXtOptions } from '../model/config.ts';
import { resnext } from '../model/resnext.ts';
import { variant, variants } from '../model/variants.ts';
import { weightSpecs } from '../model/weights.ts';
import { recognize } from './recognize.ts';

type Shapes = Map<string, { dims: readonly number[] }>;

const shapesOf = (options: ResNeXtOptions): Shapes =>
  new Map(weightSpecs(resnext(options)).map(({ name, dims }) => [name, { dims }]));

const small = { depths: [2, 1], cardinality: 2, baseWidth: 16, width: 16, classes: 3 };

/** Variants with the same tensors as another. */
const sameTensors: Readonly<Record<string, string>> = { ecaresnext50t_32x4d: 'ecaresnext26t_32x4d' };

test('every variant is recognized from its tensors, except for pooling', () => {
  for (const name of variants) {
    const model = resnext(variant(name));
    const { config, variant: found } = recognize(shapesOf(variant(name)), { hint: name });
    expect(config).toEqual({ ...model.config, stemPool: model.config.antialias ? 'average' : 'max' });
    expect(found).toBe(sameTensors[name] ?? name.replace('legacy_', ''));
  }
});

test('a plain ResNet is a ResNeXt of cardinality 1', () => {
  const { config, variant: name } = recognize(shapesOf({ cardinality: 1, baseWidth: 64 }));
  expect(config).toMatchObject({ cardinality: 1, baseWidth: 64, depths: [3, 4, 6, 3] });
  expect(name).toBe('resnext50_1x64d');
});

test('a network without a standard name is named by its blocks', () => {
  expect(recognize(shapesOf(small)).variant).toBe('resnext[2,1]_2x16d_w16');
});

test.each([
  ['module.', 'module.'],
  ['_orig_mod.module.', '_orig_mod.module.'],
  ['timm_model.', 'timm_model.'],
  ['backbone.', 'backbone.'],
  ['student.encoder.', 'student.encoder.'],
])('a prefix of every name is stripped: %s', (_, prefix) => {
  const shapes: Shapes = new Map([...shapesOf(small)].map(([name, shape]) => [prefix + name, shape]));
  const found = recognize(shapes);
  expect(found.prefix).toBe(prefix);
  expect(found.names.get('fc.weight')).toBe(`${prefix}fc.weight`);
});

test('the first of two networks is used, with a note', () => {
  const names = ['encoder_q.', 'encoder_k.'].flatMap((prefix) =>
    [...shapesOf(small)].map(([name, shape]) => [prefix + name, shape] as const),
  );
  const { prefix, ambiguities: ambiguous } = recognize(new Map(names));
  expect(prefix).toBe('encoder_q.');
  expect(ambiguous).toEqual([
    'Found networks under "encoder_q." and "encoder_k.", and used the first. Choose another with key (--key).',
  ]);
});

test.each([
  ['model.', 'ema_model.module.'],
  ['student.', 'teacher.'],
  ['last.', 'best.'],
])('of the networks under %s and %s, the second is used', (usual, preferred) => {
  const names = [usual, preferred].flatMap((prefix) =>
    [...shapesOf(small)].map(([name, { dims }]) => [prefix + name, { dims }] as const),
  );
  const { prefix, ambiguities } = recognize(new Map(names));
  expect(prefix).toBe(preferred);
  expect(ambiguities[0]).toMatch(`Found networks under "${preferred}" and "${usual}", and used the first.`);
});

describe('a network in nn.Sequential', () => {
  const features = { ...small, classes: 0 };
  const numbered = (options: ResNeXtOptions, first: number, prefix = ''): Shapes =>
    new Map(
      [...shapesOf(options)].map(([name, shape]) => {
        const [, stage, rest] = /^layer(\d)(.*)$/.exec(name) ?? [];
        const child = stage ? `${Number(stage) + first - 1}${rest}` : name.replace(/^conv1/, '0').replace(/^bn1/, '1');
        return [prefix + child, shape];
      }),
    );

  test.each<[string, ResNeXtOptions, number, string]>([
    ['with the pool before its stages', features, 4, ''],
    ['behind a prefix', features, 4, 'module.body.0.'],
    ['with a deep stem', { ...features, stem: 'deep', stemWidth: 8, shortcut: 'D' }, 4, '0.'],
    ['with attention', { ...features, attention: 'se' }, 4, 'encoder.'],
    ['for small images', { ...features, stem: 'cifar' }, 3, ''],
    ['for small images, with ReLU as a function', { ...features, stem: 'cifar' }, 2, 'features.'],
  ])('is recognized %s', (_, options, first, prefix) => {
    const found = recognize(numbered(options, first, prefix));
    expect(found).toMatchObject({ layout: 'nn.Sequential', prefix });
    expect(found.config).toMatchObject({ ...options, depths: [2, 1] });
  });
});

describe('a head under another name', () => {
  const body = (prefix: string): [string, { dims: readonly number[] }][] =>
    [...shapesOf({ ...small, classes: 0 })].map(([name, shape]) => [prefix + name, shape]);
  const tensors = (dims: Readonly<Record<string, readonly number[]>>) =>
    Object.entries(dims).map(([name, size]) => [name, { dims: size }] as const);
  const headOf = (prefix: string, dims: Readonly<Record<string, readonly number[]>>) =>
    recognize(new Map([...body(prefix), ...tensors(dims)]));
  const norm = (path: string, width: number) =>
    Object.fromEntries(['weight', 'bias', 'running_mean', 'running_var'].map((field) => [`${path}.${field}`, [width]]));

  test.each<[string, string, Record<string, readonly number[]>, string, string | undefined]>([
    ['beside the network', 'backbone.', { 'head.weight': [3, 128], 'head.bias': [3] }, 'head.weight', 'head.bias'],
    ['after a dropout', '', { 'fc.1.weight': [3, 128], 'fc.1.bias': [3] }, 'fc.1.weight', 'fc.1.bias'],
    ['as a convolution', '', { 'last.weight': [3, 128, 1, 1], 'last.bias': [3] }, 'last.weight', 'last.bias'],
    [
      'beside a queue and a loss',
      'm.',
      { queue: [128, 900], 'l.weight': [3], 'z.weight': [3, 128], 'z.bias': [3] },
      'z.weight',
      'z.bias',
    ],
  ])('is found %s', (_, prefix, dims, weight, bias) => {
    const { config, names } = headOf(prefix, dims);
    expect(config.classes).toBe(3);
    expect([names.get('fc.weight'), names.get('fc.bias')]).toEqual([weight, bias]);
  });

  test('is found without a bias, with batch normalizations', () => {
    expect(headOf('', { 'fc.weight': [3, 128] })).toMatchObject({
      config: { classes: 3 },
      head: { weight: 'fc.weight', classes: 3, before: [], after: [] },
    });
    const { head, ambiguities } = headOf('0.', { ...norm('1.2', 128), '1.4.weight': [3, 128], ...norm('1.5', 3) });
    expect(head).toEqual({ weight: '1.4.weight', classes: 3, before: ['1.2.'], after: ['1.5.'] });
    expect(ambiguities).toEqual([
      'Merged the batch normalization "1.2" and "1.5" into the classifier "1.4", assuming an epsilon of 1e-5 and no activation between them.',
    ]);
  });

  test('of another network is not taken', () => {
    const both = new Map([...body('student.net.'), ...tensors({ 'student.out.weight': [3, 128], 'student.out.bias': [3] }),
      ...Array.from(body('teacher.net.'), ([name, { dims }]) => [name, { dims }] as const),
      ...tensors({ 'teacher.out.weight': [5, 128], 'teacher.out.bias': [5] })]); // biome-ignore format: two networks
    expect(recognize(both)).toMatchObject({ prefix: 'teacher.net.', config: { classes: 5 } });
  });

  test.each<[string, Record<string, readonly number[]>, string]>([
    ['several linear layers', { 'a.0.weight': [64, 128], 'a.2.weight': [3, 64] }, 'a.0.weight'],
    ['two classifiers', { 'a.weight': [64, 128], 'b.weight': [3, 128] }, 'a.weight'],
    ['a layer normalization', { 'n.weight': [128], 'n.bias': [128], 'a.weight': [3, 128] }, 'n.weight'],
  ])('of %s is dropped with a note', (_, dims, first) => {
    const { config, ambiguities } = headOf('x.', dims);
    expect(config.classes).toBe(0);
    expect(ambiguities).toEqual([
      `Dropped the head, which has several layers ("${first}" and others): the network outputs features.`,
    ]);
  });
});

test('a 1x1 convolution as head, no head, and grayscale images are recognized', () => {
  const shapes = shapesOf({ ...small, inputChannels: 1 });
  shapes.set('fc.weight', { dims: [3, 128, 1, 1] });
  expect(recognize(shapes).config).toMatchObject({ classes: 3, inputChannels: 1 });
  shapes.delete('fc.weight');
  shapes.delete('fc.bias');
  expect(recognize(shapes).config.classes).toBe(0);
});

test('anti-aliasing comes from a hint; without one, a note says that it is unknown', () => {
  const shapes = shapesOf(variant('seresnextaa101d_32x8d'));
  const plain = recognize(shapes);
  expect(plain).toMatchObject({ variant: 'seresnext101d_32x8d', config: { antialias: false, stemPool: 'max' } });
  expect(plain.ambiguities).toEqual([expect.stringContaining('Assumed a network without anti-aliasing')]);
  const hinted = recognize(shapes, { hint: 'timm/seresnextaa101d_32x8d.sw_in12k' });
  expect(hinted).toMatchObject({ variant: 'seresnextaa101d_32x8d', config: { antialias: true }, ambiguities: [] });
});

test.each([
  ['seresnextaa-trials/resnext50_32x4d.pth', false],
  ['resnextaa50_32x4d/resnext50_32x4d.pth', false],
  ['resnext50_32x4d/resnextaa50_32x4d.pth', true],
  ['seresnextaa101d_32x8d/model.safetensors', true],
])('the last architecture in the hint %s counts', (hint, antialias) => {
  expect(recognize(shapesOf(small), { hint }).config.antialias).toBe(antialias);
});

test('other tensors from a trainer do not hide the prefix of the network', () => {
  const shapes: Shapes = new Map(Array.from(shapesOf(small), ([name, dims]) => [`model.${name}`, dims]));
  const shapesAndLoss: Shapes = new Map([['criterion.weight', { dims: [5] }], ...shapes]);
  expect(recognize(shapesAndLoss)).toMatchObject({ layout: 'torchvision', prefix: 'model.' });
});

describe('a state dict that is not a ResNeXt is refused with a sentence', () => {
  const changed = (name: string, dims?: readonly number[]): Shapes => {
    const shapes = shapesOf(small);
    if (dims) shapes.set(name, { dims });
    else shapes.delete(name);
    return shapes;
  };
  const named = (...names: string[]): Shapes => new Map(names.map((name) => [name, { dims: [8, 8, 3, 3] }]));
  const cases: [string, Shapes, string][] = [
    ['no tensors', new Map(), 'cats.pth is not a ResNeXt: it has no tensors, but expected "layer1.0.conv2.weight"'],
    [
      'a vision transformer',
      named('cls_token', 'pos_embed', 'blocks.0.attn.qkv.weight', 'head.weight'),
      'it has 4 tensors such as "cls_token", "pos_embed", "blocks.0.attn.qkv.weight", but expected',
    ],
    [
      'ResNet-18',
      named('conv1.weight', 'layer1.0.conv1.weight', 'layer1.0.conv2.weight'),
      'blocks have two convolutions',
    ],
    [
      'a missing stage',
      new Map([...shapesOf(small)].filter(([name]) => !name.startsWith('layer2.'))),
      '"fc.weight" is [3,128], but a resnext[2]_2x16d_w16',
    ],
    ['a gap in the blocks', named('layer1.0.conv2.weight', 'layer1.2.conv2.weight'), 'but no number 1'],
    ['a gap in the stages', named('layer1.0.conv2.weight', 'layer3.0.conv2.weight'), 'but no number 2'],
    ['another stem', changed('conv1.weight', [16, 3, 5, 5]), 'its first convolution is 5x5, but expected 7x7, or 3x3'],
    [
      'a size of zero',
      changed('layer1.0.conv2.weight', [8, 0, 3, 3]),
      '"layer1.0.conv2.weight" is [8,0,3,3], which is not a valid shape',
    ],
    [
      'an enormous size',
      changed('bn1.weight', [2 ** 52]),
      '"bn1.weight" is [4503599627370496], which is not a valid shape',
    ],
    [
      'groups that do not divide the channels',
      changed('layer1.0.conv2.weight', [8, 3, 3, 3]),
      'cannot be divided into groups of 3',
    ],
    ['a 5x5 in blocks', changed('layer1.0.conv2.weight', [8, 4, 5, 5]), 'is 5x5, but expected 3x3'],
    [
      'inconsistent branch widths',
      changed('layer2.0.conv2.weight', [6, 3, 3, 3]),
      'no base width results in branches of',
    ],
    [
      'a vector that is too long',
      changed('layer2.0.bn2.bias', [17]),
      '"layer2.0.bn2.bias" is [17], but a resnext[2,1]_2x16d_w16',
    ],
    ['a missing tensor', changed('layer2.0.bn3.running_var'), 'has no "layer2.0.bn3.running_var", but a resnext[2,1]'],
    [
      'an extra tensor',
      changed('layer2.0.se.fc1.weight', [8, 128, 1, 1]),
      'has "layer2.0.se.fc1.weight", but a resnext',
    ],
    ['a classifier for other features', changed('fc.weight', [3, 64]), '"fc.weight" is [3,64], but a resnext[2,1]'],
  ];

  test.each(cases)('%s', (_, shapes, message) => {
    const attempt = () => recognize(shapes, { source: 'cats.pth' });
    expect(attempt).toThrow(FormatError);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(/^cats\.pth[^.]*(\.\w[^.]*)*\.$/s);
  });

  test('names that have 64 prefixes of networks', () => {
    const under = (depth: number) => 'a.'.repeat(depth);
    const anchors = Array.from({ length: 64 }, (_, i) => `${under(i)}layer1.0.conv2.weight`);
    const others = Array.from({ length: 4000 }, (_, i) => `${under(64)}q${i}`);
    expect(() => recognize(named(...anchors, ...others), { source: 'cats.pth' })).toThrow(
      'cats.pth has 4064 tensors under 64 prefixes of networks inside each other, which no ensemble has.',
    );
  });

  test('a thousand blocks', () => {
    const names = Array.from({ length: 1001 }, (_, i) => `layer1.${i}.conv2.weight`);
    expect(() => recognize(named(...names))).toThrow('it has 1001 blocks, but at most 1000 are allowed.');
  });
});
