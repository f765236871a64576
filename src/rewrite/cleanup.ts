/** Nodes that compute nothing: Identity, a Sum or Concat of one, and Constant nodes, whose contents become initializers. */
import type { Rule } from './rewriter.ts';

export const removeIdentity: Rule = {
  name: 'node without effect',
  apply(b, node) {
    const only = node.inputs.length === 1 ? node.inputs[0] : undefined;
    const idle = node.op === 'Identity' || ((node.op === 'Sum' || node.op === 'Concat') && node.inputs.length === 1);
    if (!only || !idle || (b.graph.outputs.includes(node.outputs[0]!) && !only.producer)) return undefined;
    b.graph.replaceAllUses(node.outputs[0]!, only);
    return { done: `a ${node.op} of one value is that value.` };
  },
};

export const constantToInitializer: Rule = {
  name: 'constant node to initializer',
  apply(b, node) {
    const value = node.attributes.get('value');
    if (node.op !== 'Constant' || node.domain !== '' || value?.kind !== 'tensor') return undefined;
    b.graph.replaceAllUses(node.outputs[0]!, b.constant(value.value));
    return { done: 'a Constant is an initializer.' };
  },
};
