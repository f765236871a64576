/** What a rule of the blocked lowering is given and gives back. */
import type { Node, Value } from '../../graph/graph.ts';
import type { Attributes, OpType } from '../../graph/ops.ts';
import type { BlockedNodes } from './nodes.ts';
import type { Representation, Representations } from './representations.ts';

export interface Site<O extends OpType> {
  readonly layouts: Representations;
  readonly n: BlockedNodes;
  /** The node that is lowered, and its inputs, in the graph it comes from. */
  readonly node: Node;
  /** The outputs of the source graph. */
  readonly outputs: ReadonlySet<Value>;
  /** Whether nothing but this node reads a value of the source graph. */
  readonly isOnlyReader: (value: Value) => boolean;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes<O>;
}

/** Where each output lives, or undefined where the rule does not apply and standard operators take over. */
export type Rule<O extends OpType> = (site: Site<O>) => readonly Representation[] | undefined;
