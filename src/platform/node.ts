/** The platform in Node: onnxruntime-node, its C interface where koffi is there, and a cache in the user's folder. */

import { Session } from './node/session.ts';
import { onceWith } from './once.ts';

export type * from './contract.ts';
export { thisMachine, tuning } from './node/machine.ts';
export { openBound } from './node/native.ts';
export { availableProviders } from './node/runtime.ts';
export { optimizedFile, Session } from './node/session.ts';
export const runOnce = onceWith(Session);
