/**
 * What a state dict is: whose names it has, and which ResNeXt. Every layout is tried on the names; the config is inferred
 * from the shapes (`infer.ts`); and each tensor that a net of this config needs is compared with what there is, so that
 * nothing that was guessed stays unproven. No element of a tensor is read.
 *
 * Two things leave no trace in tensors: the input's size, and pooling. Anti-aliased nets have the tensors of plain ones;
 * a hint, such as the file's name or timm's architecture, tells them apart.
 */

import { FormatError, UsageError } from '../errors.ts';
import { type ResNeXtConfig, resolveConfig } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import { variantName } from '../model/variant-name.ts';
import { weightSpecs } from '../model/weights.ts';
import { inferConfig } from './infer.ts';
import { type Layout, layouts } from './layouts.ts';
import { reversed, translator } from './names.ts';

export interface RecognizeOptions {
  /** Path, hub id or architecture, for what tensors do not tell. The last name of a net in it counts. */
  readonly hint?: string;
  /** What to call the tensors in messages; a file's path. */
  readonly source?: string;
}

export interface Recognition {
  /** Whose names the tensors have. */
  readonly layout: string;
  /** What stands before all names, such as `module.`. */
  readonly prefix: string;
  /** Names of the tensors, by our names for them. */
  readonly names: ReadonlyMap<string, string>;
  readonly config: ResNeXtConfig;
  /** The variant's name, such as `resnext50_32x4d`. */
  readonly variant: string;
  /** Sentences on what was chosen because tensors do not tell. */
  readonly ambiguities: readonly string[];
}

type Shapes = ReadonlyMap<string, { readonly dims: readonly number[] }>;

/**
 * Finds out which ResNeXt named tensors are, and whose names they have.
 *
 * @throws FormatError in one sentence for what is no ResNeXt, naming what was expected and what was found.
 * @example recognize(readSafetensors(bytes).tensors, { hint: 'resnext50_32x4d.a1_in1k' }).variant // 'resnext50_32x4d'
 */
export function recognize(
  tensors: Shapes,
  { hint = '', source = 'The state dict' }: RecognizeOptions = {},
): Recognition {
  let refusal: unknown;
  for (const { layout, prefix, names } of candidates(tensors, source)) {
    try {
      const config = configOf(tensors, names, layout, hint, source);
      if (isOf(layout, config)) {
        return {
          layout: layout.name,
          prefix,
          names,
          config,
          variant: variantName(config),
          ambiguities: [
            ...doubts(config),
            ...headNotes(tensors, prefix, config),
            ...otherNets(tensors, layout, prefix),
          ],
        };
      }
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal ?? new FormatError(`${source} mixes the names of several code bases.`);
}

/** Whether a layout's names are those of such a net. */
export const isOf = ({ only = {} }: Layout, config: ResNeXtConfig): boolean =>
  Object.entries(only).every(([key, value]) => config[key as keyof typeof only] === value);

interface Candidate {
  readonly layout: Layout;
  readonly prefix: string;
  readonly names: ReadonlyMap<string, string>;
}

/** A tensor that every ResNeXt has, whatever it is called. */
const anchor = 'layer1.0.conv2.weight';

/** The layouts that know the most names, behind whatever a wrapper or trainer puts before all names of the net. */
function candidates(tensors: Shapes, source: string): Candidate[] {
  const all = layouts.flatMap((layout) =>
    prefixesFor(layout, tensors).map((prefix) => ({ layout, prefix, names: namesIn(layout, tensors, prefix) })),
  );
  const most = Math.max(...all.map(({ names }) => names.size));
  const best = all.filter(({ names }) => names.size === most);
  if (best.length === 0) throw unknown(tensors, source);
  return best;
}

/** What stands before a layout's name for the anchor. */
function prefixesFor({ rules }: Layout, tensors: Shapes): string[] {
  const called = translator(reversed(rules))(anchor)!;
  return [...tensors.keys()].flatMap((name) => {
    const prefix = name.endsWith(called) ? name.slice(0, -called.length) : undefined;
    return prefix === '' || prefix?.endsWith('.') ? prefix : [];
  });
}

function namesIn({ rules }: Layout, tensors: Shapes, prefix: string): Map<string, string> {
  const translate = translator(rules);
  const names = new Map<string, string>();
  let isHeadDeep = false;
  for (const name of tensors.keys()) {
    const ours = name.startsWith(prefix) ? translate(name.slice(prefix.length)) : undefined;
    if (ours === undefined) continue;
    isHeadDeep ||= ours.startsWith('fc.') && (names.has(ours) || !/^fc\.(weight|bias)$/.test(ours));
    if (!names.has(ours)) names.set(ours, name);
  }
  if (isHeadDeep) for (const name of [...names.keys()]) if (name.startsWith('fc.')) names.delete(name);
  return names;
}

function unknown(tensors: Shapes, source: string): FormatError {
  const found = [...tensors.keys()].slice(0, 3).map((name) => `"${name}"`);
  const has = found.length === 0 ? 'has no tensors' : `has ${tensors.size} tensors such as ${found.join(', ')}`;
  const known = [...new Set(layouts.map(({ name }) => name))].join(', ');
  return new FormatError(
    `${source} is no ResNeXt: it ${has}; expected a "${anchor}", or what it is called in ${known}.`,
  );
}

/** More than a typed array holds. */
const maxElements = 2 ** 32;

function configOf(
  tensors: Shapes,
  names: ReadonlyMap<string, string>,
  layout: Layout,
  hint: string,
  source: string,
): ResNeXtConfig {
  const shapes = new Map([...names].map(([ours, name]) => [ours, checkedDims(tensors, name, source)]));
  const inferred = inferConfig(shapes, source);
  const antialias = isAntialiased(hint);
  const usualPool = antialias ? 'average' : (layout.stemPool ?? 'max');
  const stemPool = stems[inferred.stem].hasPool ? usualPool : 'max';
  const model = build({ ...inferred, antialias, stemPool }, source);
  compare(model, shapes, names, source);
  return model.config;
}

/** Whether the last net that a hint names, with its depth, is anti-aliased. */
function isAntialiased(hint: string): boolean {
  const [, mark] = [...hint.matchAll(/resnex?t(aa)?[\d[]/gi)].at(-1) ?? [];
  return mark !== undefined;
}

/** Throws where the tensors are not exactly those that the model needs. */
function compare(
  model: Model,
  shapes: ReadonlyMap<string, readonly number[]>,
  names: ReadonlyMap<string, string>,
  source: string,
): void {
  const net = `a ${variantName(model.config)}, as the first tensors have it,`;
  const needed = weightSpecs(model);
  for (const { name, dims } of needed) {
    const found = shapes.get(name);
    const called = `"${names.get(name) ?? name}"`;
    if (!found) throw new FormatError(`${source} has no ${called}, which ${net} needs as [${dims}].`);
    if (sameShape(found, dims)) continue;
    throw new FormatError(`${source}: ${called} is [${found}], but in ${net} it is [${dims}].`);
  }
  const known = new Set(needed.map(({ name }) => name));
  const extra = [...names].find(([name]) => !known.has(name) && !name.endsWith('.num_batches_tracked'));
  if (extra) throw new FormatError(`${source} has "${extra[1]}", which ${net} has not.`);
}

function checkedDims(tensors: Shapes, name: string, source: string): readonly number[] {
  const { dims } = tensors.get(name)!;
  const sound = dims.every((size) => Number.isSafeInteger(size) && size >= 1);
  if (sound && dims.reduce((product, size) => product * size, 1) <= maxElements) return dims;
  throw new FormatError(`${source}: "${name}" is [${dims}], which no ResNeXt has.`);
}

/** A net of what was inferred; what no net can be was read from the tensors, and so is theirs to blame. */
function build(config: Partial<ResNeXtConfig>, source: string): Model {
  try {
    return resnext(resolveConfig(config));
  } catch (error) {
    if (error instanceof UsageError) throw new FormatError(`${source} is no ResNeXt: ${error.message}`);
    throw error;
  }
}

/** Whether shapes are the same but for axes of 1 at the end: a classifier may be kept as a 1x1 convolution. */
const sameShape = (a: readonly number[], b: readonly number[]): boolean => `${trimmed(a)}` === `${trimmed(b)}`;

const trimmed = (dims: readonly number[]): readonly number[] =>
  dims.slice(0, dims.findLastIndex((size) => size !== 1) + 1);

/** A head of several layers is none that a ResNeXt has; the net's features are as they were. */
function headNotes(tensors: Shapes, prefix: string, { classes }: ResNeXtConfig): string[] {
  const layers = [...tensors.keys()].filter((name) => name.startsWith(`${prefix}fc.`));
  if (classes > 0 || layers.length === 0) return [];
  return [`The head is several layers, of "${layers[0]}" and others, and is left out: the net gives features.`];
}

/** Self-supervised training keeps two encoders, distillation a teacher. */
function otherNets(tensors: Shapes, layout: Layout, prefix: string): string[] {
  const others = prefixesFor(layout, tensors).filter((other) => other !== prefix);
  return others.length > 0
    ? [`There are nets behind "${prefix}" and "${others.join('", "')}"; the first was taken.`]
    : [];
}

function doubts({ antialias, stem, shortcut, attention }: ResNeXtConfig): string[] {
  if (antialias || stem !== 'deep' || shortcut !== 'D' || attention !== 'se') return [];
  return [
    'An anti-aliased net has the same tensors; this was taken for a plain one. A name such as seresnextaa101d_32x8d would say otherwise.',
  ];
}
