/** The platform in a browser: onnxruntime-web in workers. */
import { onceWith } from './once.ts';
import { Session } from './web/session.ts';

export { sessionFields } from './checks.ts';
export type * from './contract.ts';
export { availableProviders, thisMachine, tuning } from './web/machine.ts';
export { openBound, Session } from './web/session.ts';
export const runOnce = onceWith(Session);
