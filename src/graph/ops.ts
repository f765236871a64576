/**
 * The operators that this package understands. `OpType` is the union over which every per-operator table is total
 * (shapes, cost, kernels, gradients, lowering). The table here lists each operator's attributes with their defaults.
 *
 * `standard` operators are ONNX's own, as of operator set 17. `semantic` operators are the few that training needs and
 * ONNX lacks; they are in the domain `resnext` until `lower/` expands them to standard ones.
 */
import { float, int, ints, type Spec, string, type ValuesOf } from './attributes.ts';
import type { Attribute, Node } from './graph.ts';
import { type UpdateOp, updateAttributes } from './updates.ts';

export const semanticDomain = 'resnext';

/** How a kernel slides: `pads` are [begin…, end…]; absent lists are all ones, absent pads are zeros. */
const window = { kernel_shape: ints(), strides: ints(), pads: ints(), auto_pad: string('NOTSET') };
const convolution = { ...window, dilations: ints(), group: int(1) };

const standard = {
  Add: {},
  AveragePool: { ...window, ceil_mode: int(0), count_include_pad: int(0) },
  BatchNormalization: { epsilon: float(1e-5), momentum: float(0.9), training_mode: int(0) },
  /** `to` is ONNX's number for a data type. */
  Cast: { to: int(0) },
  Concat: { axis: int(0) },
  Conv: convolution,
  ConvTranspose: { ...convolution, output_padding: ints(), output_shape: ints() },
  Div: {},
  Exp: {},
  Expand: {},
  Flatten: { axis: int(1) },
  Gemm: { alpha: float(1), beta: float(1), transA: int(0), transB: int(0) },
  GlobalAveragePool: {},
  HardSigmoid: { alpha: float(0.2), beta: float(0.5) },
  Identity: {},
  Log: {},
  LogSoftmax: { axis: int(-1) },
  MatMul: {},
  MaxPool: { ...window, dilations: ints(), ceil_mode: int(0), storage_order: int(0) },
  Mul: {},
  Neg: {},
  Pad: { mode: string('constant') },
  Reciprocal: {},
  ReduceMax: { axes: ints(), keepdims: int(1) },
  ReduceMean: { axes: ints(), keepdims: int(1) },
  ReduceSum: { keepdims: int(1), noop_with_empty_axes: int(0) },
  Relu: {},
  Reshape: { allowzero: int(0) },
  ScatterElements: { axis: int(0), reduction: string('none') },
  Sigmoid: {},
  Slice: {},
  Softmax: { axis: int(-1) },
  Split: { axis: int(0) },
  Sqrt: {},
  Sub: {},
  Sum: {},
  Transpose: { perm: ints() },
};

const semantic = {
  /** dy, w → dx with shape `input_shape`: the gradient of a convolution with respect to its input. */
  ConvInputGrad: { ...convolution, input_shape: ints() },
  /** x, dy → dw with shape `weight_shape`: the gradient of a convolution with respect to its weight. */
  ConvWeightGrad: { ...convolution, weight_shape: ints() },
  /** dy → dx with shape `input_shape`. */
  AveragePoolGrad: { ...window, ceil_mode: int(0), count_include_pad: int(0), input_shape: ints() },
  /** dy, indices → dx with shape `input_shape`: each dy goes to the element that MaxPool's `indices` output names. */
  MaxPoolGrad: { input_shape: ints() },
  /** dy, y → dx: dy where y > 0, else 0. */
  ReluGrad: {},
  /**
   * x, scale, bias, running mean, running variance → y, new running mean, new running variance, and the batch's mean
   * and 1/√(variance + ε), which the gradient reads. Normalizes with the batch's statistics. The running ones move by
   * `momentum` (as in PyTorch, the weight of the new value), with the unbiased variance.
   */
  BatchNormTraining: { epsilon: float(1e-5), momentum: float(0.1) },
  /** dy, x, scale, batch mean, batch 1/√(variance + ε) → dx, dscale, dbias. */
  BatchNormGrad: {},
  /** logits [N, K], target probabilities [N, K] → mean loss, a scalar. */
  SoftmaxCrossEntropy: {},
  /** dloss, logits, targets → dlogits. */
  SoftmaxCrossEntropyGrad: {},
  ...updateAttributes,
};

const operators = { ...standard, ...semantic };

export type OpType = keyof typeof operators;
export type SemanticOp = keyof typeof semantic;

/** Operators without a gradient: none is on a path to a parameter, or it is a gradient itself and differentiated once. */
type NonDifferentiable =
  | ('AveragePoolGrad' | 'BatchNormGrad' | 'ConvInputGrad' | 'ConvWeightGrad' | 'MaxPoolGrad' | 'ReluGrad')
  | ('HardSigmoid' | 'ReduceMax' | 'ScatterElements' | 'SoftmaxCrossEntropyGrad')
  | UpdateOp;

export type Differentiable = Exclude<OpType, NonDifferentiable>;

/** An operator's attributes, with defaults filled in. */
export type Attributes<O extends OpType> = ValuesOf<(typeof operators)[O]>;

export const opTypes: readonly OpType[] = Object.keys(operators) as OpType[];
const standardOps: ReadonlySet<string> = new Set(Object.keys(standard));
const semanticOps: ReadonlySet<string> = new Set(Object.keys(semantic));

export const isSemantic = (op: OpType): op is SemanticOp => semanticOps.has(op);
export const domainOf = (op: OpType): string => (isSemantic(op) ? semanticDomain : '');

/** The node's operator if this package knows it, otherwise undefined. */
export function opTypeOf(node: Pick<Node, 'op' | 'domain'>): OpType | undefined {
  const known = node.domain === semanticDomain ? semanticOps : standardOps;
  const ours = node.domain === semanticDomain || node.domain === '' || node.domain === 'ai.onnx';
  return ours && known.has(node.op) ? (node.op as OpType) : undefined;
}

/** Number of inputs, where later operator sets have more: Pad and the reductions take axes as an input from 18 on. */
const maxInputs: { readonly [O in OpType]?: number } = { Pad: 3, ReduceMax: 1, ReduceMean: 1 };

/**
 * Whether a node belongs to another version of its operator: it has an attribute (such as Pad's `pads` up to operator
 * set 10) or an input that the version described here lacks, and so has another meaning.
 */
export function isOtherVersion({ attributes, inputs }: Pick<Node, 'attributes' | 'inputs'>, op: OpType): boolean {
  const known = operators[op];
  return (
    inputs.length > (maxInputs[op] ?? Number.POSITIVE_INFINITY) ||
    [...attributes.keys()].some((name) => !(name in known))
  );
}

/** The node's attributes, with defaults filled in. */
export function attributesOf<O extends OpType>(node: Pick<Node, 'attributes'>, op: O): Attributes<O> {
  const specs: Record<string, Spec> = operators[op];
  const entries = Object.entries(specs).map(([name, spec]) => [name, node.attributes.get(name)?.value ?? spec.default]);
  return Object.fromEntries(entries) as Attributes<O>;
}

/** Attribute values as a node stores them, each with the kind that the operator declares. Empty lists are left out. */
export function toAttributes<O extends OpType>(op: O, values: Partial<Attributes<O>>): Map<string, Attribute> {
  const specs: Record<string, Spec> = operators[op];
  const present = Object.entries(values).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  return new Map(present.map(([name, value]) => [name, { kind: specs[name]!.kind, value } as Attribute]));
}
