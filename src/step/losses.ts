/**
 * The losses for training, as functions of the logits [N, K] and the targets [N, K], which are probabilities and need not
 * be 0 or 1. A row is one function, composed of operators that have gradients. The classes may have weights [K], as in
 * PyTorch's functions.
 */
import type { Builder } from '../graph/builder.ts';
import type { Value } from '../graph/graph.ts';

export type Loss = 'cross-entropy' | 'binary-cross-entropy';

type LossRow = (b: Builder, logits: Value, targets: Value, weights?: Value) => Value;

export const losses: { readonly [L in Loss]: LossRow } = {
  /** −Σ w·t·log softmax(z), averaged over the images: PyTorch's `cross_entropy` with probabilities as targets. */
  'cross-entropy': (b, logits, targets, weights) =>
    b.op('SoftmaxCrossEntropy', [logits, weighted(b, targets, weights)]),
  /**
   * −t·log σ(z) − (1 − t)·log(1 − σ(z)) = log(1 + e^z) − t·z, times the class's weight, averaged over images and
   * classes: PyTorch's `binary_cross_entropy_with_logits`. With m = max(0, z) it is m + log(e^−m + e^(z − m)) − t·z, where no power exceeds 1.
   */
  'binary-cross-entropy': (b, logits, targets, weights) => {
    const m = b.op('Relu', [logits]); // [N, K]
    const powers = b.op('Add', [b.op('Exp', [b.op('Neg', [m])]), b.op('Exp', [b.op('Sub', [logits, m])])]);
    const softplus = b.op('Add', [m, b.op('Log', [powers])]); // log(1 + e^z)
    const each = b.op('Sub', [softplus, b.op('Mul', [targets, logits])]); // [N, K]
    return b.op('ReduceMean', [weighted(b, each, weights)], { keepdims: 0 });
  },
};

const weighted = (b: Builder, values: Value, weights: Value | undefined): Value =>
  weights ? b.op('Mul', [values, weights]) : values; // [N, K]

export const lossNames: readonly Loss[] = Object.keys(losses) as Loss[];
