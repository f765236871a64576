import { expect, it } from 'vitest';
import { forms } from './config.ts';
import { resnext } from './resnext.ts';
import { stageGraph, stageNames } from './stages.ts';
import { variant, variants } from './variants.ts';

const names = variants.filter((name) => variant(name).stem !== 'cifar');

it.each(names)('%s: each stage is the output of its last ReLU, with the right size', (name) => {
  const { graph } = resnext({ ...variant(name), inputSize: 64, classes: 7 });
  const stages = stageNames(graph);
  expect(stages).toEqual(['stem', 'layer1', 'layer2', 'layer3', 'layer4', 'pooled', 'logits']);
  const outputs = stageGraph(graph, stages).graph.outputs;
  const maps = [64, 256, 512, 1024, 2048].map((channels, s) => [
    'N',
    channels,
    ...[64 >> Math.max(2, s + 1)].flatMap((n) => [n, n]),
  ]);
  const [stem, ...others] = outputs.map(({ dims }) => dims!);
  expect(stem!.slice(2)).toEqual(maps[0]!.slice(2));
  expect(others).toEqual([...maps.slice(1), ['N', 2048], ['N', 7]]);
  for (const { producer } of outputs.slice(1, 5)) expect(producer!.op).toBe('Relu');
});

it.each(forms)('form %s: nodes that no stage needs are removed, and the source is unchanged', (form) => {
  const { graph } = resnext({ ...variant('resnext11_4x16d_w16'), form });
  const before = graph.nodes.size;
  const { graph: cut, outputs } = stageGraph(graph, ['stem', 'layer1']);
  expect([...cut.nodes].every(({ name }) => /^(conv1|bn1|relu|layer1\.)/.test(name))).toBe(true);
  expect([...outputs.keys()]).toEqual(['stem', 'layer1']);
  expect(cut.outputs.map(({ name }) => name)).toEqual([...outputs.values()]);
  expect(graph.nodes.size).toBe(before);
});

it('a network without classes has a pooled vector, but no logits', () => {
  for (const name of ['resnext11_4x16d_w16', 'ecaresnext11_4x16d_w16', 'seresnext11_4x16d_w16']) {
    const { graph } = resnext({ ...variant(name), classes: 0 });
    expect(stageNames(graph)).toEqual(['stem', 'layer1', 'layer2', 'layer3', 'pooled']);
    expect(stageGraph(graph, ['pooled']).graph.outputs[0]!.dims).toEqual(['N', 256]);
  }
});

it('refuses a stage that does not exist, and an empty list', () => {
  const { graph } = resnext(variant('resnext11_4x16d_w16'));
  expect(() => stageGraph(graph, ['layer4'])).toThrow(
    /no stage "layer4"\. Choose from stem, layer1, layer2, layer3, pooled/,
  );
  expect(() => stageGraph(graph, [])).toThrow('No stage was given, but expected at least one of stem, layer1');
});
