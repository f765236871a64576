/** Reads the bytes of a file of weights, and expects it to be refused. */
import { expect } from 'vitest';
import { FormatError } from '../src/errors.ts';
import { readStateDict } from '../src/weights/read.ts';
import { bytesSource } from '../src/weights/source.ts';
import type { StateDict } from '../src/weights/state-dict.ts';

export const read = (bytes: Uint8Array): Promise<StateDict> => readStateDict(bytesSource(bytes), 'weights.pth');

export async function refused(bytes: Uint8Array, message: string): Promise<void> {
  await expect(read(bytes)).rejects.toThrow(FormatError);
  await expect(read(bytes)).rejects.toThrow(message);
}
