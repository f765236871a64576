/**
 * Resolves the model that a user names to a file: a path, a model that ships with this package, published weights, a repository on
 * the hub, or a URL.
 */
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { checkArgument, checkOptions, path } from '../arguments.ts';
import { lookUpWeights, suggestModel, weightsOfPath } from '../catalog/published.ts';
import { lookUpShipped } from '../catalog/shipped.ts';
import { didYouMean } from '../closest-name.ts';
import { FormatError, UsageError } from '../errors.ts';
import { nearPath } from '../near-path.ts';
import { folderFiles } from '../weights/files.ts';
import { damageOf } from './checksum.ts';
import { Unreachable } from './http.ts';
import { checkOfLink } from './hub-cache.ts';
import { canPull, checkOfName } from './names.ts';
import { type Pulled, type PullOptions, pull, pullFields } from './pull.ts';

/**
 * Resolves a model: an existing file or folder is used as it is, but for a folder of something else, such as images, that has
 * the name of a shipped model; any other name is passed to `pull`. Published weights are recognized by their name, by
 * torchvision's and timm's file names, and by their path in the hub's cache.
 *
 * @param options as for `pull`, except that hashes are only verified if `verify` is true.
 * @throws UsageError if there is neither, with the closest name; FormatError if a file differs from its hash; and as
 *   `pull`.
 * @example const { path, entry } = await resolveModel('resnext50_32x4d');
 */
export async function resolveModel(nameOrPath: string, options: PullOptions = {}): Promise<Pulled> {
  checkArgument('nameOrPath', nameOrPath, path);
  checkOptions(pullFields, options);
  const { verify = false } = options;
  if (existsSync(nameOrPath) && !(lookUpShipped(nameOrPath) && isOtherFolder(nameOrPath))) {
    if (verify) await verifyFile(nameOrPath);
    return found(nameOrPath);
  }
  const isAddress = /^https?:\/\//.test(nameOrPath);
  const looksLikePath =
    !isAddress && /^(\.|~|[/\\]|[A-Za-z]:\\|runs[/\\])|\.(onnx|pth|pt|t7|safetensors|bin|zip|tar)$/.test(nameOrPath);
  const near = isAddress ? '' : suggestPath(nameOrPath);
  if (looksLikePath) throw new UsageError(`There is no file or folder "${nameOrPath}".${near}`);
  if (!canPull(nameOrPath)) {
    throw new UsageError(
      `There is no file, folder or published model named "${nameOrPath}".${near || suggestModel(nameOrPath)}`,
    );
  }
  try {
    return await pull(nameOrPath, { ...options, verify });
  } catch (error) {
    if (!(error instanceof Unreachable) || isAddress || lookUpWeights(nameOrPath)) throw error;
    const { message } = error.cause instanceof Unreachable ? error.cause : error;
    throw new UsageError(
      `There is no file or folder "${nameOrPath}".${near} It could not be looked up on the Hugging Face Hub either: ${message}`,
      { cause: error },
    );
  }
}

/** Whether a folder is neither a model nor a run. */
const isOtherFolder = (path: string): boolean =>
  statSync(path).isDirectory() &&
  ![...folderFiles, 'onnx/model.onnx', 'run.json'].some((name) => existsSync(join(path, name)));

/** A question, after a space, on the path that may be meant. The name of a run alone is meant in the folder `runs`. */
function suggestPath(path: string): string {
  const near = nearPath(path) ?? (isAbsolute(path) ? undefined : nearPath(join('runs', path)));
  return didYouMean(near && `"${near}"`);
}

function found(path: string): Pulled {
  const config = join(dirname(path), 'config.json');
  const entry = weightsOfPath(path);
  const hasConfig = statSync(path).isFile() && existsSync(config);
  return { path, ...(hasConfig && { config }), ...(entry && { entry }) };
}

/** Compares a file with the hash in its name, as torch.hub has it, or in the name of its blob in the hub's cache. */
async function verifyFile(path: string): Promise<void> {
  const check = (await checkOfLink(path)) ?? checkOfName(basename(path));
  if (!check) {
    throw new UsageError(
      `"${path}" cannot be verified: its hash is not known. Leave out --verify, or name published weights.`,
    );
  }
  const damage = await damageOf(path, { check }, Number.POSITIVE_INFINITY);
  if (damage !== undefined) throw new FormatError(`"${path}" is damaged: ${damage}. Download it again.`);
}
