/**
 * Max pooling after a ReLU, and its gradient, in the blocked layout, which has no index of the maximum.
 *
 * The gradient of a window goes to its first pixel that equals the maximum. So the taps are visited in order: if the
 * pixel under tap t equals the maximum, the remaining dy goes there, and nothing remains for later taps:
 *
 *   gₜ = left · [xₜ = y],  left ← left − gₜ
 *
 * In a window x ≤ y, so [x = y] is a HardSigmoid of x − y with an extremely steep slope. Pixels outside the border
 * count as 0. That equals the maximum only if the maximum is 0, and then the ReLU before the pool blocks the gradient.
 *
 * With stride 2 each tap meets one phase of x (`phases.ts`), so the gₜ are shifted and summed by phase.
 */
import type { Node, Value } from '../../graph/graph.ts';
import { attributesOf, opTypeOf } from '../../graph/ops.ts';
import { sizes } from '../../graph/shapes.ts';
import { resolveWindow } from '../../graph/window.ts';
import type { BlockedNodes } from './nodes.ts';
import { interleaved, picked } from './phases.ts';
import type { Rule } from './rules.ts';

export const maxPool: Rule<'MaxPool'> = ({ layouts, n, node, inputs: [x], attributes, outputs }) => {
  if (!isBlockedPool(node, outputs) || !layouts.isBlockable(x!)) return undefined;
  const window = resolveWindow(attributes, sizes(x!).slice(2));
  const map = window.output as readonly number[];
  const pads = [...window.begin, ...window.end];
  return [
    { blocked: n.maxPool(layouts.blocked(x!), { kernel: window.kernel, strides: window.strides, pads }, map) },
    {},
  ];
};

/** Whether only this file's gradient reads the indices, and the gradient passes through the ReLU that made x. */
function isBlockedPool(node: Node, graphOutputs: ReadonlySet<Value>): boolean {
  const [x] = node.inputs as [Value];
  const [, indices] = node.outputs;
  const window = resolveWindow(attributesOf(node, 'MaxPool'), sizes(x).slice(2));
  const { kernel, strides, dilations, output } = window;
  const isHalved = output.every((size, axis) => 2 * (size as number) === sizes(x)[axis + 2] && strides[axis] === 2);
  const isLarge = kernel.every((taps) => taps > 1); // the window covers every phase
  const isPlain = dilations.every((dilation) => dilation === 1) && attributesOf(node, 'MaxPool').ceil_mode === 0;
  const isMasked = (gradient: Value) =>
    !graphOutputs.has(gradient) &&
    [...gradient.users].every((user) => opTypeOf(user) === 'ReluGrad' && user.inputs[1] === x);
  const isRectified = x.producer !== undefined && opTypeOf(x.producer) === 'Relu';
  const gradients = [...(indices?.users ?? [])];
  const isInside = !indices || !graphOutputs.has(indices);
  return (
    isHalved &&
    isLarge &&
    isPlain &&
    isRectified &&
    isInside &&
    gradients.every((user) => opTypeOf(user) === 'MaxPoolGrad' && isMasked(user.outputs[0]!))
  );
}

export const maxPoolGradient: Rule<'MaxPoolGrad'> = ({ layouts, n, inputs: [dy, indices], outputs }) => {
  const pool = indices!.producer!;
  const [x, y] = [pool.inputs[0]!, pool.outputs[0]!];
  if (!layouts.isBlocked(y) || !isBlockedPool(pool, outputs)) return undefined;
  const window = resolveWindow(attributesOf(pool, 'MaxPool'), sizes(x).slice(2));
  const [down, across] = window.kernel as [number, number];
  const negative = n.b.op('Neg', [layouts.blocked(y)]);
  const phases = new Map<string, Value>();
  let left = layouts.blocked(dy!);
  for (let tap = 0; tap < down * across; tap++) {
    const at = [Math.floor(tap / across), tap % across].map((p, axis) => p - window.begin[axis]!);
    const below = n.b.op('Add', [picked(n, layouts.recomputed(x), at, 2), negative]); // x − y at this tap
    const isMaximum = n.b.op('HardSigmoid', [below], { alpha: 2 ** 100, beta: 1 });
    const gradient = n.b.op('Mul', [isMaximum, left]);
    if (tap < down * across - 1) left = n.b.op('Sub', [left, gradient]);
    const phase = at.map((offset) => Math.abs(offset % 2)).join();
    const shift = at.map((offset) => -Math.floor(offset / 2));
    phases.set(phase, picked(n, gradient, shift, 1, phases.get(phase)));
  }
  return [
    {
      blocked: interleaved(
        n,
        stacked(
          n,
          ['0,0', '0,1', '1,0', '1,1'].map((phase) => phases.get(phase)!),
        ),
      ),
    },
  ];
};

/** Combines four maps [N, C, h, w] as the phases of one map. */
function stacked(n: BlockedNodes, phases: readonly Value[]): Value {
  const [batch, channels, h, w] = sizes(phases[0]!) as [number, number, number, number];
  const rows = phases.map((phase) => n.reshape(phase, [(batch * channels) / n.block, h * w * n.block]));
  return n.reshape(n.b.op('Concat', rows, { axis: 1 }), [batch, 4 * channels, h, w]);
}
