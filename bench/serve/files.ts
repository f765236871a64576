/** The images of a folder, in memory. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const filesIn = (folder: string): Uint8Array<ArrayBuffer>[] =>
  readdirSync(folder)
    .sort()
    .filter((name) => /\.(jpe?g|png|webp)$/i.test(name))
    .map((name) => new Uint8Array(readFileSync(join(folder, name))));
