import { expect, test } from 'vitest';
import { beside, biasName, branchConstant, branchNode, mergedName } from './names.ts';

test.each([
  [['layer1.0.branches.0.conv2', 'layer1.0.branches.1.conv2'], 'layer1.0.conv2'],
  [['a.branches.0.bn1.weight_12', 'a.branches.1.bn1.weight_13'], 'a.bn1.weight'],
  [['branches.0.onnx::Conv_45', 'branches.1.onnx::Conv_45'], 'onnx::Conv_45'],
  [['block.conv2.0.weight', 'block.conv2.1.weight'], 'block.conv2.weight'],
  [['/block/conv2.0/Conv', '/block/conv2.1/Conv'], '/block/conv2/Conv'],
  [['block.branch_0.conv.weight', 'block.branch_1.conv.weight'], 'block.branch.conv.weight'],
  [['onnx::Conv_45', 'onnx::Conv_48'], 'onnx::Conv_45'],
  [['left.weight', 'right.weight'], 'left.weight'],
  [['a.b.weight', 'a.weight'], 'a.b.weight'],
  [['', ''], ''],
])('%j merge into %j', (names, merged) => {
  expect(mergedName(names)).toBe(merged);
});

test.each([
  ['layer1.0.conv2', 'layer1.0.branches.3.conv2', 'layer1.0.sum'],
  ['/layer1/conv2/Conv', '/layer1/conv2/branches.3.Conv', '/layer1/conv2/sum'],
  ['Conv_12', 'branches.3.Conv_12', 'sum'],
])('names the branches and neighbors of node %j', (name, branch, neighbor) => {
  expect(branchNode(name, 3)).toBe(branch);
  expect(mergedName([branch, branchNode(name, 4)])).toBe(name);
  expect(beside(name, 'sum')).toBe(neighbor);
});

test.each([
  ['layer1.0.conv2.weight', 'layer1.0.branches.3.conv2.weight', 'layer1.0.conv2.bias'],
  ['conv.weight', 'branches.3.conv.weight', 'conv.bias'],
  ['onnx::Conv_12', 'branches.3.onnx::Conv_12', 'onnx::Conv_12.bias'],
])('names the branches and bias of constant %j', (name, branch, bias) => {
  expect(branchConstant(name, 3)).toBe(branch);
  expect(mergedName([branch, branchConstant(name, 4)])).toBe(name);
  expect(biasName(name)).toBe(bias);
});
