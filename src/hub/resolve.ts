/** From what a person types for a model to a file: a path, published weights, a repository of the hub, an address. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lookUpWeights, suggestWeights, weightsOfPath } from '../catalog/published.ts';
import { UsageError } from '../errors.ts';
import { Unreachable } from './http.ts';
import { canPull, type Pulled, type PullOptions, pull } from './pull.ts';

/**
 * Where a model is: an existing file or folder wins; else what `pull` makes of the name. Published weights are known by
 * their name, by torchvision's and timm's names of files, and by their place in the hub's cache.
 *
 * @throws UsageError when there is neither, with the nearest name; and as `pull`.
 * @example const { path, entry } = await resolveModel('resnext50_32x4d');
 */
export async function resolveModel(nameOrPath: string, options: PullOptions = {}): Promise<Pulled> {
  if (existsSync(nameOrPath)) return found(nameOrPath);
  const isAddress = /^https?:\/\//.test(nameOrPath);
  const looksLikePath =
    !isAddress && /^(\.|~|[/\\]|[A-Za-z]:\\)|\.(onnx|pth|pt|t7|safetensors|bin|zip|tar)$/.test(nameOrPath);
  if (looksLikePath) throw new UsageError(`There is no file or folder "${nameOrPath}".`);
  if (!canPull(nameOrPath)) {
    throw new UsageError(
      `"${nameOrPath}" is neither a file or folder here nor published weights.${suggestWeights(nameOrPath)}`,
    );
  }
  try {
    return await pull(nameOrPath, options);
  } catch (error) {
    if (!(error instanceof Unreachable) || isAddress || lookUpWeights(nameOrPath)) throw error;
    throw new UsageError(
      `"${nameOrPath}" is no file or folder here, and taken for a name on the hub: ${error.message}`,
      {
        cause: error,
      },
    );
  }
}

function found(path: string): Pulled {
  const config = join(dirname(path), 'config.json');
  const entry = weightsOfPath(path);
  const hasConfig = statSync(path).isFile() && existsSync(config);
  return { path, ...(hasConfig && { config }), ...(entry && { entry }) };
}
