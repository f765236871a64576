/** The platform in Node: onnxruntime-node, its C interface if koffi is installed, and a cache in the user's folder. */

import type { Platform } from './contract.ts';
import { Session } from './node/session.ts';
import { onceWith } from './once.ts';

export { sessionFields } from './checks.ts';
export type * from './contract.ts';
export { thisMachine, tuning } from './node/machine.ts';
export { availableProviders } from './node/providers.ts';
export { optimizedFile, Session } from './node/session.ts';
/** Loaded when first called, because only training needs it. */
export const openBound: Platform['openBound'] = async (graph, options) =>
  (await import('./node/native.ts')).openBound(graph, options);
export const runOnce = onceWith(Session);
