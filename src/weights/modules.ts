/**
 * The tensors of models that were pickled as a whole, and of TorchScript archives. A module of PyTorch is an object whose
 * attributes include the dicts `_parameters`, `_buffers` and `_modules`; in TorchScript, tensors and other modules are
 * attributes themselves, and every type is in `__torch__`. Both are read as data: classes and code stay unknown.
 */
import { FormatError } from '../errors.ts';
import { Inert } from './pickle.ts';
import { TensorView } from './torch-tensors.ts';

type Dict = ReadonlyMap<unknown, unknown>;

/** Whether an object is of a type of TorchScript. */
export const isScript = ({ name }: Inert): boolean => name.startsWith('__torch__.');

/** The attributes of an object that is a module; undefined for any other object. */
export function moduleAttributes(object: Inert, state: unknown): Dict | undefined {
  if (!(state instanceof Map)) return undefined;
  const isModule = ['_parameters', '_buffers', '_modules'].every((key) => state.get(key) instanceof Map);
  return isModule || isScript(object) ? state : undefined;
}

const nameLimit = 40_000;
const textLimit = 1 << 22;
const depthLimit = 64;

/** A module, or an archive of TorchScript, in words. */
export const describeModule = (module: Inert): string =>
  isScript(module)
    ? `a TorchScript archive (${module.name.slice('__torch__.'.length)})`
    : `a model that was pickled as a whole (${module.name})`;

/**
 * The tensors of a module by the names of its state dict, and the names of all types of its modules. What stands in for
 * a tensor of an unknown kind is included.
 *
 * @throws FormatError if there are too many. A module that is part of several others has a name for each.
 */
export function moduleTensors(module: Inert, file: string): { tensors: Map<string, unknown>; types: Set<string> } {
  const tensors = new Map<string, unknown>();
  const types = new Set<string>();
  let [names, text] = [0, 0];
  const visit = (each: Inert, prefix: string, depth: number): void => {
    types.add(each.name);
    for (const [key, value] of memberEntries(each)) {
      if (typeof key !== 'string') continue;
      names += 1;
      text += prefix.length + key.length;
      if (names > nameLimit || text > textLimit || depth > depthLimit) {
        throw new FormatError(
          `${file} has a model of more than ${nameLimit} parts, or one nested more than ${depthLimit} levels deep.`,
        );
      }
      if (value instanceof TensorView || (value instanceof Inert && value.hasData)) tensors.set(prefix + key, value);
      else if (value instanceof Inert && value.attributes) visit(value, `${prefix}${key}.`, depth + 1);
    }
  };
  visit(module, '', 0);
  return { tensors, types };
}

/** Parameters, buffers and modules, in the order of a state dict. */
function memberEntries(module: Inert): Iterable<readonly [unknown, unknown]> {
  const attributes = module.attributes ?? new Map<unknown, unknown>();
  if (isScript(module)) return attributes;
  return ['_parameters', '_buffers', '_modules'].flatMap((key) => {
    const members = attributes.get(key);
    return members instanceof Map ? [...members] : [];
  });
}
