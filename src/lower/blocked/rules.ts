/** The interface of a rule of the blocked lowering. */
import type { Node, Value } from '../../graph/graph.ts';
import type { Attributes, OpType } from '../../graph/ops.ts';
import type { BlockedNodes } from './nodes.ts';
import type { Representation, Representations } from './representations.ts';

export interface Site<O extends OpType> {
  readonly layouts: Representations;
  readonly n: BlockedNodes;
  /** The node to lower, and its inputs, in the source graph. */
  readonly node: Node;
  /** The outputs of the source graph. */
  readonly outputs: ReadonlySet<Value>;
  /** Whether this node is the only reader of a value in the source graph. */
  readonly isOnlyReader: (value: Value) => boolean;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes<O>;
}

/** The representations of each output; undefined if the rule does not apply and standard operators take over. */
export type Rule<O extends OpType> = (site: Site<O>) => readonly Representation[] | undefined;
