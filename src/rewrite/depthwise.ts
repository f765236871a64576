/**
 * Grouped convolution as keras-applications writes it, whose framework had none: a depthwise convolution makes c maps of
 * each channel, and a frozen 1x1 convolution of zeros and ones adds them up (zeros and one factor a filter, where batch
 * normalisation was folded into it). The two are one convolution,
 *
 *   w[m, i] = Σⱼ f[m, i·c + j] · v[i·c + j]      f the frozen 1x1 filter, v the depthwise one
 *
 * and where each filter only meets the channels of its own group, it is one in groups.
 */
import { describe } from '../graph/graph.ts';
import { attributesOf } from '../graph/ops.ts';
import { elements, type Tensor, tensor } from '../tensor.ts';
import { layerConstant, ownConstant } from './constants.ts';
import type { Rule } from './rewriter.ts';

export const depthwiseToGroups: Rule = {
  name: 'depthwise and frozen 1x1 to groups',
  apply(b, node) {
    const depthwise = node.inputs[0]?.producer;
    if (node.op !== 'Conv' || depthwise?.op !== 'Conv') return undefined;
    const channels = depthwise.inputs[0]?.dims?.[1];
    const frozen = node.inputs[1]?.tensor;
    const { group } = attributesOf(depthwise, 'Conv');
    const filters = depthwise.inputs[1]?.tensor;
    if (!frozen || !filters || group !== channels || group === 1 || filters.dims[0] === group) return undefined;
    const { group: one, strides, pads } = attributesOf(node, 'Conv');
    const plain = one === 1 && [...strides].every((s) => s === 1) && [...pads].every((p) => p === 0);
    if (!plain || elements(frozen.dims.slice(2)) !== 1 || !addsUp(frozen)) return undefined;
    if (depthwise.outputs[0]!.users.size > 1)
      return { refused: `${describe(depthwise)} is read by other nodes as well.` };
    if (depthwise.inputs[2]) return { refused: `${describe(depthwise)} has a bias.` };
    const own = ownConstant(b.graph, depthwise, 1);
    if ('refused' in own) return own;
    const groups = groupsOf(frozen, group, filters.dims[0]! / group);
    if (groups === 1) return { refused: `${describe(node)} adds up channels across all groups.` };
    const name = b.graph.freshName(depthwise.name || 'Conv');
    const weight = layerConstant(b, name, 'weight', composed(frozen, own, group, groups));
    const attributes = { ...attributesOf(depthwise, 'Conv'), group: groups };
    const y = b.op(
      'Conv',
      [depthwise.inputs[0], weight, ...(node.inputs[2] ? [node.inputs[2]] : [])],
      attributes,
      name,
    );
    b.graph.replaceAllUses(node.outputs[0]!, y);
    return { done: `a depthwise convolution and a 1x1 of zeros and ones are one convolution in ${groups} groups.` };
  },
};

/** Whether each filter only adds channels up, or adds them up and scales the sum, as one does that BN was folded into. */
function addsUp({ dims, data }: Tensor): boolean {
  const perFilter = data.length / dims[0]!;
  return Array.from({ length: dims[0]! }, (_, m) => {
    const used = new Set(
      Array.from(data.subarray(m * perFilter, (m + 1) * perFilter), Number).filter((value) => value !== 0),
    );
    return used.size === 1;
  }).every(Boolean);
}

/** The most groups for which no filter meets a channel outside its own group. */
function groupsOf(frozen: Tensor, channels: number, multiplier: number): number {
  const filters = frozen.dims[0]!;
  const divides = (groups: number) => channels % groups === 0 && filters % groups === 0;
  const separate = (groups: number) => {
    const [perGroup, filtersPerGroup] = [(channels / groups) * multiplier, filters / groups];
    return Array.from(frozen.data, Number).every((value, at) => {
      const [m, i] = [Math.floor(at / (channels * multiplier)), at % (channels * multiplier)];
      return value === 0 || Math.floor(m / filtersPerGroup) === Math.floor(i / perGroup);
    });
  };
  for (let groups = channels; groups > 1; groups--) if (divides(groups) && separate(groups)) return groups;
  return 1;
}

function composed(frozen: Tensor, depthwise: Tensor, channels: number, groups: number): Tensor {
  const [filters, kernel] = [frozen.dims[0]!, depthwise.dims.slice(2)];
  const [taps, multiplier, perGroup] = [elements(kernel), depthwise.dims[0]! / channels, channels / groups];
  const weight = tensor('float32', [filters, perGroup, ...kernel]);
  for (let m = 0; m < filters; m++) {
    const first = Math.floor(m / (filters / groups)) * perGroup;
    for (let at = 0; at < perGroup * multiplier * taps; at++) {
      const [maps, tap] = [first * multiplier + Math.floor(at / taps), at % taps];
      const share = Number(frozen.data[m * channels * multiplier + maps]) * Number(depthwise.data[maps * taps + tap]);
      const channel = Math.floor(maps / multiplier) - first;
      weight.data[(m * perGroup + channel) * taps + tap]! += share;
    }
  }
  return weight;
}
