/**
 * Drawings show what the graph computes, wherever it comes from and in any form. Nothing overlaps or is cut off, in any
 * theme. A graph that cannot be drawn is refused with a message.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { type DrawOptions, run } from '../src/cli/commands/draw.ts';
import { createOutput } from '../src/cli/output.ts';
import { decode } from '../src/data/image-source.ts';
import { blockNames, blockStructure, drawBlock } from '../src/draw/block.ts';
import { drawGroupedConvolution, layoutGrouped } from '../src/draw/grouped.ts';
import { layoutBlock } from '../src/draw/layout.ts';
import { type Bounds, type Box, boundsOf, extent, type Scene, type Text } from '../src/draw/scene.ts';
import { drawTwoVectors, layoutVectors } from '../src/draw/vectors.ts';
import { UsageError } from '../src/errors.ts';
import { Builder } from '../src/graph/builder.ts';
import type { Graph, Value } from '../src/graph/graph.ts';
import { type Form, forms, type ResNeXtOptions } from '../src/model/config.ts';
import { initialWeights } from '../src/model/init.ts';
import { resnext } from '../src/model/resnext.ts';
import { variant } from '../src/model/variants.ts';
import { setWeights } from '../src/model/weights.ts';
import { readOnnxFile } from '../src/onnx/files.ts';
import { convertGraph } from '../src/rewrite/convert.ts';
import { smallConfig } from './random-configs.ts';

const graphOf = (options: ResNeXtOptions): Graph => resnext(options).graph;
const published = (form: Form, options: ResNeXtOptions = {}) =>
  graphOf({ ...variant('resnext50_32x4d'), ...options, form });
const fixtures = fileURLToPath(new URL('fixtures/emulated', import.meta.url));
const fixture = (name: string) => readOnnxFile(join(fixtures, `${name}.onnx`));

const textsOf = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, value]) => value!);
const count = (svg: string, value: string): number => textsOf(svg).filter((text) => text === value).length;

/** Block, form → texts of boxes, and how often each is drawn. */
const expected: readonly (readonly [string, Form, readonly (readonly [string, number])[]])[] = [
  [
    'layer1.1',
    'A',
    [
      ['256-d in', 1],
      ['256, 1x1, 4', 3],
      ['4, 3x3, 4', 3],
      ['4, 1x1, 256', 3],
      ['32 paths', 1],
    ],
  ],
  [
    'layer1.1',
    'B',
    [
      ['256, 1x1, 4', 3],
      ['4, 3x3, 4', 3],
      ['concatenate', 1],
      ['128, 1x1, 256', 1],
      ['256-d out', 1],
    ],
  ],
  [
    'layer1.1',
    'C',
    [
      ['256, 1x1, 128', 1],
      ['128, 3x3, 128', 1],
      ['group = 32', 1],
      ['128, 1x1, 256', 1],
    ],
  ],
  [
    'layer1.0',
    'A',
    [
      ['64-d in', 1],
      ['64, 1x1, 4', 3],
      ['64, 1x1, 256', 1],
      ['256-d out', 1],
    ],
  ],
  [
    'layer3.0',
    'B',
    [
      ['512, 1x1, 16', 3],
      ['16, 3x3, 16', 3],
      ['stride 2', 4],
      ['512, 1x1, 1024', 2],
    ],
  ],
  [
    'layer4.0',
    'C',
    [
      ['1024, 1x1, 1024', 1],
      ['group = 32, stride 2', 1],
      ['1024, 1x1, 2048', 2],
      ['stride 2', 1],
    ],
  ],
];

test.each(expected)('%s in form %s has the channels of the graph', (block, form, boxes) => {
  const svg = drawBlock(published(form), block);
  for (const [text, times] of boxes) expect(count(svg, text), text).toBe(times);
});

test('shortcuts are drawn as the graph computes them', () => {
  const drawn = (shortcut: 'A' | 'C' | 'D', block: string) => textsOf(drawBlock(published('C', { shortcut }), block));
  expect(drawn('A', 'layer2.0')).toEqual(expect.arrayContaining(['every 2nd pixel', 'pad with zeros', '256 to 512']));
  expect(drawn('C', 'layer1.1')).toContain('256, 1x1, 256');
  expect(drawn('D', 'layer2.0')).toEqual(expect.arrayContaining(['average pool 2x2', 'stride 2', '256, 1x1, 512']));
});

test('details show normalization, activation and the size of the maps', () => {
  const details = (form: Form) => drawBlock(published(form), 'layer2.0', { details: true });
  for (const form of forms) expect(textsOf(details(form))).toEqual(expect.arrayContaining(['256-d in, 56x56', 'ReLU']));
  expect(count(details('A'), 'BN, ReLU')).toBe(6);
  expect(count(details('C'), 'BN, ReLU')).toBe(2);
  expect(count(details('A'), 'BN')).toBe(2);
  expect(textsOf(drawBlock(published('A'), 'layer2.0'))).not.toContain('BN');
});

test('a few branches are all drawn, with their dilation', () => {
  const svg = drawBlock(published('A', { cardinality: 4, outputStride: 8 }), 'layer4.1');
  expect(count(svg, '32, 3x3, 32')).toBe(4);
  expect(count(svg, 'dilation 4')).toBe(4);
  expect(textsOf(svg).join()).not.toContain('paths');
});

test('a form that is built and the same form converted from C have the same drawing', () => {
  fc.assert(
    fc.property(smallConfig, fc.constantFrom(...forms), (config, form) => {
      const model = resnext({ ...config, form: 'C' });
      setWeights(model, initialWeights(model, 1));
      const built = graphOf({ ...config, form });
      const { graph: rewritten } = convertGraph(model.graph, form);
      expect(blockNames(rewritten)).toEqual(blockNames(built));
      for (const block of blockNames(built)) {
        for (const details of [false, true]) {
          expect(drawBlock(rewritten, block, { details })).toBe(drawBlock(built, block, { details }));
        }
      }
    }),
    { numRuns: 20 },
  );
});

/** Convolutions for graphs written by hand. */
function handmade(): {
  b: Builder;
  x: Value;
  convolution: (x: Value, filters: number, kernel?: number, group?: number) => Value;
} {
  const b = new Builder('handmade');
  const convolution = (input: Value, filters: number, kernel = 1, group = 1) => {
    const weight = b.parameter(b.graph.freshName('w'), [filters, (input.dims![1] as number) / group, kernel, kernel]);
    return b.op('Conv', [input, weight], { group, pads: new Array<number>(4).fill((kernel - 1) / 2) });
  };
  return { b, x: b.input('x', ['N', 64, 14, 14]), convolution };
}

test('the bridge from B to C and a squeeze-and-excitation gate are drawn from their structure', () => {
  const { b, x, convolution } = handmade();
  const joined = b.op(
    'Concat',
    Array.from({ length: 16 }, () => convolution(x, 2)),
    { axis: 1 },
  );
  const y = convolution(convolution(joined, 32, 3, 16), 64);
  const gate = b.op('Sigmoid', [convolution(convolution(b.op('GlobalAveragePool', [y]), 4), 64)]);
  b.output(b.op('Add', [x, b.op('Mul', [y, gate])], {}, 'last'));
  const svg = drawBlock(b.graph, 'last', { details: true });
  const boxes = ['64, 1x1, 2', 'concatenate', '32, 3x3, 32', 'group = 16', '32, 1x1, 64', 'average pool', 'sigmoid'];
  expect(textsOf(svg)).toEqual(expect.arrayContaining(boxes));
  expectSound(layoutBlock(blockStructure(b.graph, 'last'), { details: true }));
});

test.each([
  ['bridge', ['8, 1x1, 3', 'concatenate', '12, 3x3, 12', 'group = 4']],
  ['split-concat-folded', ['8, 1x1, 12', '3 of 12 channels', '3, 3x3, 3', 'concatenate', '12, 1x1, 8']],
  ['form-a-folded', ['8, 1x1, 3', '3, 3x3, 3', '3, 1x1, 8']],
  ['depthwise', ['12, 3x3, 36', 'group = 12', '36, 1x1, 12']],
])("PyTorch's %s.onnx is drawn by its structure", async (name, boxes) => {
  const graph = await fixture(name);
  expect(blockNames(graph)).toEqual(['block1', 'block2']);
  for (const block of blockNames(graph)) {
    expectSound(layoutBlock(blockStructure(graph, block), { details: true }));
  }
  expect(textsOf(drawBlock(graph))).toEqual(expect.arrayContaining(boxes));
});

test('blocks of any file are drawn without overlaps', async () => {
  for (const file of await readdir(fixtures)) {
    if (!file.endsWith('.onnx')) continue;
    const graph = await fixture(file.replace('.onnx', ''));
    for (const block of blockNames(graph)) {
      for (const details of [false, true]) expectSound(layoutBlock(blockStructure(graph, block), { details }));
    }
  }
});

test('a shortcut longer than the other side and branches narrower than their bar have room', () => {
  const { b, x, convolution } = handmade();
  const joined = b.op('Concat', [x, b.op('Relu', [x])], { axis: 1 });
  const shortcut = b.op('Relu', [b.op('MaxPool', [b.op('Relu', [x])], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })]);
  b.output(b.op('Add', [shortcut, convolution(joined, 64)], {}, 'wide'));
  for (const details of [false, true]) expectSound(layoutBlock(blockStructure(b.graph, 'wide'), { details }));
  const other = handmade();
  const pooled = other.b.op('GlobalAveragePool', [other.b.op('Softmax', [other.x])]);
  other.b.output(other.b.op('Add', [other.convolution(other.x, 64), pooled], {}, 'long'));
  expectSound(layoutBlock(blockStructure(other.b.graph, 'long'), { details: true }));
});

test('a block can be selected by the Add that ends it, and a chain of Adds is one sum', () => {
  const { b, x, convolution } = handmade();
  const terms = Array.from({ length: 6 }, () => convolution(convolution(x, 4), 64));
  const sum = [...terms, x].reduce((total, term) => b.op('Add', [total, term]));
  b.output(sum, 'y');
  const svg = drawBlock(b.graph, 'y');
  expect(count(svg, '64, 1x1, 4')).toBe(3);
  expect(textsOf(svg)).toContain('6 paths');
  expect(blockStructure(b.graph, 'y').shortcut).toEqual([]);
});

const groupings = [
  ...[
    [8, 4, 4],
    [8, 8, 4],
    [8, 4, 1],
    [1, 1, 1],
    [12, 12, 12],
    [128, 128, 32],
    [128, 128, 2],
    [10, 5, 5],
  ],
  ...[
    [2048, 2048, 32],
    [6, 9, 3],
    [5, 5, 1],
  ],
] as const;

test('nothing overlaps, and every text fits in its box', () => {
  for (const form of forms) {
    for (const [name, options] of [
      ['resnext50_32x4d', {}],
      ['resnext29_16x64d', { shortcut: 'D' }],
      ['resnext50_2x40d', { shortcut: 'A' }],
      ['resnext101_32x48d', {}],
    ] as const) {
      const graph = graphOf({ ...variant(name), ...options, form });
      for (const block of blockNames(graph).filter((_, i) => i < 5)) {
        for (const details of [false, true]) expectSound(layoutBlock(blockStructure(graph, block), { details }));
      }
    }
  }
  for (const [input, output, groups] of groupings) expectSound(layoutGrouped({ input, output, groups, kernel: 3 }));
  expectSound(layoutVectors({ a: [1, 2, 3, 4], x: [0, -1.5, 1000, 1], b: [7], y: [-12345] }));
});

const solid: ReadonlySet<string> = new Set(['layer', 'bar', 'tag', 'cell', 'channel']);

/** Expects that boxes are disjoint, and that each text is inside one box or outside of all. */
function expectSound(scene: Scene): void {
  const boxes = scene.filter((shape): shape is Box => shape.kind === 'box' && solid.has(shape.role));
  const texts = scene.filter((shape): shape is Text => shape.kind === 'text');
  const discs = scene.filter((shape) => shape.kind === 'disc');
  const bounds = boxes.map(boundsOf);
  bounds.forEach((a, i) => {
    for (const b of bounds.slice(i + 1))
      expect(overlap(a, b), `${JSON.stringify(a)} and ${JSON.stringify(b)}`).toBe(false);
    for (const disc of discs) expect(overlap(a, boundsOf(disc)), 'a disc on a box').toBe(false);
  });
  texts.forEach((text, i) => {
    const own = boundsOf(text);
    const met = bounds.filter((box) => overlap(box, own));
    expect(met.length, `boxes that meet "${text.text}"`).toBeLessThanOrEqual(1);
    if (met[0]) expect(contains(met[0], own), `"${text.text}" in its box`).toBe(true);
    for (const other of texts.slice(i + 1)) {
      expect(overlap(own, boundsOf(other)), `"${text.text}" on "${other.text}"`).toBe(false);
    }
  });
}

const hair = 0.01;
const overlap = (a: Bounds, b: Bounds): boolean =>
  a.left < b.right - hair && b.left < a.right - hair && a.top < b.bottom - hair && b.top < a.bottom - hair;
const contains = (outer: Bounds, inner: Bounds): boolean =>
  outer.left <= inner.left && inner.right <= outer.right && outer.top <= inner.top && inner.bottom <= outer.bottom;

const gallery: readonly (readonly [string, (theme: 'light' | 'dark' | 'auto') => string])[] = [
  ['form A', (theme) => drawBlock(published('A'), 'layer2.0', { theme, details: true })],
  ['form B', (theme) => drawBlock(published('B'), 'layer1.1', { theme })],
  ['form C', (theme) => drawBlock(published('C'), 'layer1.1', { theme })],
  ['grouped convolution', (theme) => drawGroupedConvolution({ input: 2048, output: 2048, groups: 32, theme })],
  ['two vectors', (theme) => drawTwoVectors({ theme, a: [1], x: [1234.5], b: [2, 3], y: [4, 5] })],
];

test.each(gallery)('%s: text stays inside the image when rendered', async (_, draw) => {
  for (const theme of ['light', 'dark'] as const) {
    const svg = draw(theme);
    const { data, info } = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const paper = theme === 'light' ? [255, 255, 255] : [13, 17, 23];
    const edge = 12;
    let marks = 0;
    for (let y = 0; y < info.height; y++) {
      for (let x = 0; x < info.width; x++) {
        const inside = x >= edge && x < info.width - edge && y >= edge && y < info.height - edge;
        if (!inside && paper.some((value, c) => data[(y * info.width + x) * 3 + c] !== value)) marks++;
      }
    }
    expect(marks, `marked pixels in the margin of the ${theme} drawing`).toBe(0);
    expect(info.width).toBeGreaterThan(100);
  }
});

test('the view box contains the whole scene', () => {
  const scene = layoutBlock(blockStructure(published('A'), 'layer1.1'), { details: true });
  const svg = drawBlock(published('A'), 'layer1.1', { details: true });
  const [x, y, width, height] = /viewBox="([^"]*)"/.exec(svg)![1]!.split(' ').map(Number) as [
    number,
    number,
    number,
    number,
  ];
  const view = { left: x, top: y, right: x + width, bottom: y + height };
  for (const shape of scene) expect(contains(view, boundsOf(shape))).toBe(true);
  expect(contains(view, extent(scene))).toBe(true);
});

test.each(gallery)('%s: styles are scoped to the drawing, and each theme has its colors', (_, draw) => {
  for (const theme of ['light', 'dark', 'auto'] as const) {
    const svg = draw(theme);
    const style = /<style>\n(.*)\n<\/style>/s.exec(svg)![1]!;
    const rules = style.split('\n').filter((rule) => rule !== '}' && !rule.startsWith('@media'));
    for (const rule of rules) {
      for (const selector of rule.slice(0, rule.indexOf('{')).split(',')) {
        expect(selector.startsWith(`.resnext-drawing-${theme} `), selector).toBe(true);
      }
    }
    expect(style.includes('@media (prefers-color-scheme:dark)')).toBe(theme === 'auto');
    expect(style.includes('#0d1117')).toBe(theme !== 'light');
    expect(svg).toMatch(/role="img".*\n<title>[^<]+<\/title>\n<desc>[^<]+<\/desc>/);
    expect(svg).not.toMatch(/\bid=|NaN|undefined|<script|href/);
  }
});

test('names from a file are escaped', () => {
  const { b, x, convolution } = handmade();
  b.output(b.op('Add', [x, convolution(x, 64)], {}, '<b>&"'));
  expect(drawBlock(b.graph, '<b>&"')).toContain('<title>Block &lt;b&gt;&amp;&quot;</title>');
});

test('a branch has the color of its channels', () => {
  const colors = (form: Form) => {
    const scene = layoutBlock(blockStructure(published(form), 'layer1.1'), { details: false });
    const boxes = scene.filter((shape): shape is Box => shape.kind === 'box');
    return boxes.filter(({ role, hue }) => hue !== undefined && role === (form === 'C' ? 'segment' : 'layer'));
  };
  const branches = new Set(colors('A').map(({ hue }) => hue));
  expect([...branches]).toEqual([0, 1, 31]);
  const groups = colors('C').map(({ hue }) => hue);
  expect(groups).toEqual(Array.from({ length: 64 }, (_, i) => i % 32));
});

test('a grouped convolution is drawn with its numbers', () => {
  const svg = drawGroupedConvolution();
  const title = '8 channels in, 4 groups: each filter sees 2';
  expect(textsOf(svg)).toEqual(
    expect.arrayContaining([title, '8 input channels', '4 filters of 2 channels', 'group 4']),
  );
  expect(svg).toContain(`<title>${title}</title>`);
  expect(textsOf(svg)).toContain('4 × 2 × 3 × 3 = 72 weights; a single group would need 288');
  expect(svg.match(/class="wire thin/g)).toHaveLength(8);
  const wide = drawGroupedConvolution({ input: 128, output: 128, groups: 32 });
  expect(textsOf(wide)).toEqual(
    expect.arrayContaining(['group 1', 'group 2', 'group 32', '1', '4', '5', '125', '128']),
  );
  expect(textsOf(wide)).not.toContain('group 3');
});

test('both sides of the equation give the same number', () => {
  const svg = drawTwoVectors({ a: [1, 2], x: [3, 4], b: [5], y: [6] });
  expect(textsOf(svg)).toEqual(expect.arrayContaining(['= 11 + 30 = 41', '= 41', 'one dot product of 3 numbers']));
});

test('refuses what cannot be drawn', () => {
  const graph = published('C');
  const plain = handmade();
  plain.b.output(plain.convolution(plain.x, 8));
  const refusals: readonly (readonly [() => string, RegExp])[] = [
    [() => drawBlock(graph, 'layer9.1'), /no block "layer9\.1"\. The blocks are layer1\.0, layer1\.1, .*layer4\.2\./],
    [() => drawBlock(graph, ''), /no block ""/],
    [() => drawBlock(plain.b.graph), /"handmade" has no residual block to draw/],
    [
      () => drawBlock(graph, 'layer1.0', { theme: 'pink' as 'dark' }),
      /theme is "pink", but expected auto, light or dark\./,
    ],
    [() => drawGroupedConvolution({ groups: 3 }), /^3 groups do not divide 8 input channels; expected 1, 2 or 4\.$/],
    [() => drawGroupedConvolution({ input: 12, output: 8, groups: 3 }), /^3 groups do not divide 8 output channels; /],
    [() => drawGroupedConvolution({ input: 0 }), /input is 0, but expected a whole number of at least 1/],
    [() => drawTwoVectors({ a: [1] }), /a has length 1 and x has length 4, but expected equal lengths of at least 1/],
  ];
  for (const [draw, message] of refusals) {
    expect(draw).toThrow(UsageError);
    expect(draw).toThrow(message);
  }
});

test('resnext draw draws variants, files and groups, and refuses conflicting arguments', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'resnext-draw-'));
  try {
    const output = join(folder, 'drawing.svg');
    const draw = async (model: string | undefined, options: Partial<DrawOptions>): Promise<string> => {
      await run(
        { theme: 'auto', details: false, ...(model !== undefined && { model }), ...options, output },
        { ...createOutput({ json: false }), line: () => {}, warn: () => {} },
      );
      return readFile(output, 'utf8');
    };
    expect(await draw('resnext50_32x4d', { block: 'layer1.1', form: 'A' })).toBe(drawBlock(published('A'), 'layer1.1'));
    expect(await draw(undefined, { grouped: [8, 4, 4] })).toBe(drawGroupedConvolution());
    const emulated = join(fixtures, 'split-concat.onnx');
    expect(textsOf(await draw(emulated, { details: true }))).toContain('3 of 12 channels');
    expect(textsOf(await draw(emulated, { form: 'C' }))).toContain('group = 4');
    await expect(draw(undefined, {})).rejects.toThrow('Name a variant or a model');
    await expect(draw(undefined, { grouped: [8, 4] })).rejects.toThrow('expected three numbers');
    await expect(draw('resnext50_32x4d', { grouped: [8, 4, 4] })).rejects.toThrow(
      '--grouped makes a different drawing',
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('resnext draw writes the format of the ending, and refuses others before it reads a model', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'resnext-draw-'));
  const output = { ...createOutput({ json: false }), line: () => {} };
  const draw = (name: string, options: Partial<DrawOptions> = {}) =>
    run({ theme: 'auto', details: false, grouped: [8, 4, 4], ...options, output: join(folder, name) }, output);
  try {
    for (const name of ['a.png', 'b.PNG', 'c.svg', 'd']) await draw(name);
    const [width, height] = /width="(\d+)" height="(\d+)"/.exec(drawGroupedConvolution())!.slice(1).map(Number);
    for (const name of ['a.png', 'b.PNG']) {
      const image = await decode(join(folder, name));
      expect([image.width, image.height]).toEqual([3 * width!, 3 * height!]);
      expect(new Set(image.data).size).toBeGreaterThan(20); // not blank
    }
    for (const name of ['c.svg', 'd']) {
      expect(await readFile(join(folder, name), 'utf8')).toBe(drawGroupedConvolution());
    }
    for (const name of ['a.pdf', 'a.jpg', 'a.txt']) {
      await expect(draw(name, { model: 'no such model' })).rejects.toThrow(
        new RegExp(`ends in "\\${name.slice(1)}", but expected \\.svg or \\.png\\. Write \\.svg, which`),
      );
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the drawings in the documentation are up to date', async () => {
  const file = (name: string) =>
    readFile(fileURLToPath(new URL(`../docs/drawings/${name}.svg`, import.meta.url)), 'utf8');
  for (const form of forms)
    expect(await file(`form-${form.toLowerCase()}`)).toBe(drawBlock(published(form), 'layer1.1'));
  expect(await file('grouped')).toBe(drawGroupedConvolution());
  expect(await file('two-vectors')).toBe(drawTwoVectors());
});
