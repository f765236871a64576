/**
 * Makes the drawings of this folder, all from graphs of the paper's 256-d 32x4d block (resnext50_32x4d, layer1.1) and
 * its neighbours. Run it after `npm run build`:
 *
 *     node docs/drawings/make.mjs
 */
import { writeFile } from 'node:fs/promises';
import { drawBlock, resnext, variant } from 'resnext';
import { Builder, drawGroupedConvolution, drawTwoVectors } from 'resnext/graph';

const graph = (options) => resnext({ ...variant('resnext50_32x4d'), ...options }).graph;

/** The step from B to C: the branches' 1x1 convolutions, concatenated, then one 3x3 in groups. */
function bridge() {
  const b = new Builder('bridge');
  const x = b.input('x', ['N', 256, 56, 56]);
  const convolution = (name, input, filters, kernel, group = 1) => {
    const weight = b.parameter(`${name}.weight`, [filters, input.dims[1] / group, kernel, kernel]);
    const pads = new Array(4).fill((kernel - 1) / 2);
    return b.op('Conv', [input, weight], { kernel_shape: [kernel, kernel], pads, group }, name);
  };
  const branches = Array.from({ length: 32 }, (_, i) => convolution(`block.branches.${i}.conv1`, x, 4, 1));
  const joined = b.op('Concat', branches, { axis: 1 }, 'block.concat'); // [N, 128, 56, 56]
  const y = convolution('block.conv3', convolution('block.conv2', joined, 128, 3, 32), 256, 1);
  b.output(b.op('Relu', [b.op('Add', [y, x], {}, 'block.add')], {}, 'block.relu'));
  return b.graph;
}

const drawings = {
  bridge: drawBlock(bridge(), 'block'),
  'two-vectors': drawTwoVectors(),
  grouped: drawGroupedConvolution(),
  'grouped-one': drawGroupedConvolution({ groups: 1 }),
  'grouped-wide': drawGroupedConvolution({ output: 8 }),
  'grouped-two': drawGroupedConvolution({ input: 128, output: 128, groups: 2, kernel: 1 }),
  'grouped-32': drawGroupedConvolution({ input: 128, output: 128, groups: 32 }),
};
for (const form of ['A', 'B', 'C']) {
  const name = `form-${form.toLowerCase()}`;
  drawings[name] = drawBlock(graph({ form }), 'layer1.1');
  drawings[`${name}-details`] = drawBlock(graph({ form }), 'layer1.1', { details: true });
  drawings[`${name}-strided`] = drawBlock(graph({ form }), 'layer2.0');
}
drawings['shortcut-a'] = drawBlock(graph({ shortcut: 'A' }), 'layer2.0');
drawings['shortcut-d'] = drawBlock(graph({ shortcut: 'D' }), 'layer2.0');

for (const [name, svg] of Object.entries(drawings)) await writeFile(new URL(`${name}.svg`, import.meta.url), svg);
