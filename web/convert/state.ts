/** The state of Convert in the address: the network to try it with, and the block that is drawn. */
import type { Fields } from '../address.ts';

export interface ConvertState {
  readonly isExample: boolean;
  /** Undefined is the first one. */
  readonly block: string | undefined;
}

export const readState = ({ example, block }: Fields): ConvertState => ({ isExample: example !== undefined, block });

export const writeState = ({ isExample, block }: ConvertState): Fields => ({
  ...(isExample && { example: '' }),
  ...(block !== undefined && { block }),
});
