/** The settings of a task from what was typed. */
import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { defaultModel } from '../catalog/shipped.ts';
import { isUrl } from '../data/fetch.ts';
import { resolveModel } from '../hub/resolve.ts';
import { modelFile } from '../saved/files.ts';
import { version } from '../version.ts';
import type { Settings } from './settings.ts';
import { sha256 } from './sha256.ts';

/** What a person chooses. Without a model, it is the default one. */
export type Chosen = Omit<Settings, 'version' | 'folder' | 'weights' | 'model'> & {
  readonly model?: string | undefined;
};

/** @throws UsageError if there is no such model. */
export async function settingsFor({ model: typed = defaultModel, ...chosen }: Chosen): Promise<Settings> {
  const { path } = await resolveModel(typed);
  return {
    version: version(),
    ...chosen,
    folder: chosen.sources.every((source) => isAbsolute(source) || isUrl(source)) ? '/' : resolve('.'),
    model: path === typed && existsSync(typed) ? resolve(typed) : typed,
    weights: await sha256(modelFile(path)),
  };
}
