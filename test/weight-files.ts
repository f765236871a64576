/** The files of `src/weights/golden`, what `make.py` says is in them, and how to compare it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bytesOf } from '../src/tensor.ts';
import type { StateDict } from '../src/weights/state-dict.ts';

/** A tensor as JSON holds it: its bytes in base64. */
export interface Expected {
  readonly name: string;
  readonly dtype: string;
  readonly dims: readonly number[];
  readonly bytes: string;
}

interface ExpectedFiles {
  readonly states: Readonly<Record<string, readonly Expected[]>>;
  readonly files: Readonly<Record<string, string>>;
}

export const goldenPath = (file: string): string =>
  fileURLToPath(new URL(`../src/weights/golden/${file}`, import.meta.url));
export const goldenBytes = (file: string): Uint8Array => new Uint8Array(readFileSync(goldenPath(file)));

const { states, files } = JSON.parse(readFileSync(goldenPath('expected.json'), 'utf8')) as ExpectedFiles;

/** The golden files, each with the tensors that are in it, in order. */
export const goldenFiles: readonly (readonly [file: string, tensors: readonly Expected[]])[] = Object.entries(
  files,
).map(([file, state]) => [file, states[state]!]);

/** A state dict, all of its tensors read, in the form of `Expected`. */
export const contents = ({ tensors }: StateDict): Expected[] =>
  Array.from(tensors, ([name, stored]) => {
    const { dtype, dims } = stored;
    return { name, dtype, dims, bytes: Buffer.from(bytesOf(stored.read())).toString('base64') };
  });
