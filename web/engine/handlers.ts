/** Who answers each request. */
import { prove } from '../explore/proof.ts';
import type { Handler, Kind } from './protocol.ts';

export const handlers: { readonly [K in Kind]: Handler<K> } = { prove };
