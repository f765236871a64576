/**
 * What was measured to be fastest on this machine, by a key of everything that it depends on: `choices.json` in the cache
 * folder. A second run with the same key then makes the same choice, without measuring again.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, writeFileAtomically } from '../files.ts';

const fileName = 'choices.json';
/** Older ones are forgotten. */
const maxChoices = 500;

type Choices = Readonly<Record<string, unknown>>;

/** @returns undefined if the folder has no choice for this key. */
export const readChoice = (folder: string, key: object): unknown => choicesIn(folder)[hashed(key)];

/** Keeps a choice. A cache that cannot be written is left as it is. */
export async function writeChoice(folder: string, key: object, choice: object): Promise<void> {
  const others = Object.entries(choicesIn(folder)).filter(([name]) => name !== hashed(key));
  const choices = Object.fromEntries([...others.slice(1 - maxChoices), [hashed(key), choice]]);
  try {
    await makeFolder(folder);
    await writeFileAtomically(join(folder, fileName), `${JSON.stringify(choices, null, 1)}\n`);
  } catch {
    // it is measured again next time
  }
}

function choicesIn(folder: string): Choices {
  try {
    const found: unknown = JSON.parse(readFileSync(join(folder, fileName), 'utf8'));
    return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Choices) : {};
  } catch {
    return {}; // missing or damaged
  }
}

const hashed = (key: object): string => createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 32);
