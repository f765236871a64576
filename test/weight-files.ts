/** The files in `src/weights/golden`, their contents according to `make.py`, and how to compare them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bytesOf } from '../src/tensor.ts';
import type { StateDict } from '../src/weights/state-dict.ts';

/** A tensor in JSON: its bytes in base64. */
export interface Expected {
  readonly name: string;
  readonly dtype: string;
  readonly dims: readonly number[];
  readonly bytes: string;
}

interface ExpectedFiles {
  readonly states: Readonly<Record<string, readonly Expected[]>>;
  readonly files: Readonly<Record<string, string>>;
  readonly pickles: readonly string[];
}

export const goldenPath = (file: string): string =>
  fileURLToPath(new URL(`../src/weights/golden/${file}`, import.meta.url));
export const goldenBytes = (file: string): Uint8Array => new Uint8Array(readFileSync(goldenPath(file)));

const { states, files, pickles } = JSON.parse(readFileSync(goldenPath('expected.json'), 'utf8')) as ExpectedFiles;

/** The golden files, each with its tensors in order. */
export const goldenFiles: readonly (readonly [file: string, tensors: readonly Expected[]])[] = Object.entries(
  files,
).map(([file, state]) => [file, states[state]!]);

/** A state dict in the form of `Expected`, with all tensors read. */
export const contents = ({ tensors }: StateDict): Expected[] =>
  Array.from(tensors, ([name, stored]) => {
    const { dtype, dims } = stored;
    return { name, dtype, dims, bytes: Buffer.from(bytesOf(stored.read())).toString('base64') };
  });

/** Pickles of the same plain values, in protocols 2 to 5. */
export const goldenPickles: readonly Uint8Array[] = pickles.map((text) => Uint8Array.from(Buffer.from(text, 'base64')));
