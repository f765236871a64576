/**
 * Recognizes the architecture and naming scheme of a state dict. Every layout is tried on the names; the config is
 * inferred from the shapes (`infer.ts`); then every tensor that a network with this config needs is compared with the
 * ones present, so nothing remains a guess. No tensor's elements are read.
 *
 * Tensors do not reveal the input size and the pooling. Anti-aliased networks have the same tensors as plain ones; a
 * hint, such as a file name or timm's architecture name, tells them apart.
 */

import { checkArgument, checkOptions, type FieldsOf, map } from '../arguments.ts';
import { FormatError, UsageError } from '../errors.ts';
import { type ResNeXtConfig, resolveConfig } from '../model/config.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { stems } from '../model/stems.ts';
import { variantName } from '../model/variant-name.ts';
import { weightSpecs } from '../model/weights.ts';
import { text } from '../options.ts';
import { preference } from '../weights/preference.ts';
import { findHead, type Head, headNotes } from './head.ts';
import { inferConfig } from './infer.ts';
import { type Layout, layouts } from './layouts.ts';
import { reversed, translator } from './names.ts';

/** What is known about tensors besides their names and shapes. */
export interface RecognizeOptions {
  /** A path, hub repository or architecture, for what tensors do not reveal. The last architecture in it counts. */
  readonly hint?: string;
  /** The name of the tensors' source in messages, such as a path. */
  readonly source?: string;
}

/** `RecognizeOptions` with their checks. */
export const recognizeFields: FieldsOf<RecognizeOptions> = {
  hint: text({ default: '', doc: 'a path or architecture' }),
  source: text({ doc: 'the name of the source' }),
};

export interface Recognition {
  /** The naming scheme of the tensors. */
  readonly layout: string;
  /** The common prefix of all names, such as `module.`. */
  readonly prefix: string;
  /** Names of the tensors in the file, by this package's names. */
  readonly names: ReadonlyMap<string, string>;
  /** The head, if it is not a weight and a bias under names of the layout. */
  readonly head?: Head;
  readonly config: ResNeXtConfig;
  /** The variant's name, such as `resnext50_32x4d`. */
  readonly variant: string;
  /** Notes to show the user on choices that the tensors do not determine. */
  readonly ambiguities: readonly string[];
}

type Shapes = ReadonlyMap<string, { readonly dims: readonly number[] }>;

/**
 * Recognizes the architecture and naming scheme of named tensors.
 *
 * @throws FormatError if they are not a ResNeXt, naming what was expected and what was found.
 * @example recognize(readSafetensors(bytes).tensors, { hint: 'resnext50_32x4d.a1_in1k' }).variant // 'resnext50_32x4d'
 */
export function recognize(tensors: Shapes, options: RecognizeOptions = {}): Recognition {
  checkArgument('tensors', tensors, map);
  checkOptions(recognizeFields, options);
  const { hint = '', source = 'The state dict' } = options;
  let refusal: unknown;
  for (const candidate of candidates(tensors, source)) {
    const { layout, prefix, names, head } = candidate;
    try {
      const config = configOf(tensors, candidate, hint, source);
      if (appliesTo(layout, config)) {
        return {
          layout: layout.name,
          prefix,
          names,
          ...(typeof head === 'object' && { head }),
          config,
          variant: variantName(config),
          ambiguities: [
            ...antialiasNotes(config),
            ...headNotes(head),
            ...otherNetworks(tensors, layout, prefix, source),
          ],
        };
      }
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal ?? new FormatError(`${source} mixes the naming schemes of several code bases.`);
}

/**
 * Whether tensors are those of a ResNeXt.
 *
 * @example await openStateDict('distilled.pth', { isNetwork }) // skips the state dicts of other networks
 */
export function isNetwork(tensors: Shapes): boolean {
  try {
    recognize(tensors);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/** Whether a layout is for networks with this config. */
export const appliesTo = ({ only = {} }: Layout, config: ResNeXtConfig): boolean =>
  Object.entries(only).every(([key, value]) => config[key as keyof typeof only] === value);

interface Candidate {
  readonly layout: Layout;
  readonly prefix: string;
  readonly names: ReadonlyMap<string, string>;
  /** The head, or a tensor of one that is not linear, if the layout has no names for it. */
  readonly head: Head | string | undefined;
}

/** A tensor that every ResNeXt has, under this package's name. */
const anchor = 'layer1.0.conv2.weight';

/** The layouts and prefixes (from wrappers and trainers) that match the most names, the preferred prefix first. */
function candidates(tensors: Shapes, source: string): Candidate[] {
  const all = layouts.flatMap((layout) =>
    prefixesFor(layout, tensors, source).map((prefix) => ({ layout, prefix, names: namesIn(layout, tensors, prefix) })),
  );
  const most = Math.max(...all.map(({ names }) => names.size));
  const best = all.filter(({ names }) => names.size === most);
  if (best.length === 0) throw unknown(tensors, source);
  const prefixes = new Set(all.map(({ prefix }) => prefix));
  return best
    .sort((a, b) => preference(a.prefix) - preference(b.prefix))
    .map((candidate) => withHead(candidate, tensors, prefixes));
}

/** Finds the head of a network if its layout names no linear layer, or one without a bias. */
function withHead(
  { layout, prefix, names }: Omit<Candidate, 'head'>,
  tensors: Shapes,
  prefixes: ReadonlySet<string>,
): Candidate {
  const weight = names.get('fc.weight');
  const body = new Map([...names].filter(([name]) => !name.startsWith('fc.')));
  const features = tensors.get(body.get(lastFilter(body)) ?? '')?.dims[0] ?? 0;
  if (weight !== undefined && names.has('fc.bias')) return { layout, prefix, names, head: undefined };
  const used = new Set<string>(body.values());
  const usedTensors = new Set([...used].map((name) => tensors.get(name)));
  const others = [...prefixes].filter((other) => other !== prefix && other !== '' && !prefix.startsWith(other));
  const left = [...tensors].flatMap(([name, stored]) =>
    usedTensors.has(stored) || others.some((other) => name.startsWith(other)) ? [] : [name],
  );
  const head = findHead(tensors, weight === undefined ? left : [weight], prefix, features);
  if (typeof head !== 'object') return { layout, prefix, names: body, head };
  const isPlain = head.bias !== undefined && head.before.length === 0 && head.after.length === 0;
  if (!isPlain) return { layout, prefix, names: body, head };
  return { layout, prefix, names: body.set('fc.weight', head.weight).set('fc.bias', head.bias!), head: undefined };
}

/** The last convolution of the last stage. */
const lastFilter = (names: ReadonlyMap<string, string>): string =>
  [...names.keys()]
    .filter((name) => /^layer\d+\.0\.conv3\.weight$/.test(name))
    .sort(byNumber)
    .at(-1) ?? '';

const byNumber = (a: string, b: string): number => Number.parseInt(a.slice(5), 10) - Number.parseInt(b.slice(5), 10);

/** All names are compared with each prefix. An ensemble has a few, and a malicious file could have one per tensor. */
const maxPrefixes = 64;
/** Names that are translated for a layout. In an ensemble, each has one prefix; in a malicious file, it could have all. */
const maxTranslated = 250_000;

/** The prefixes before a layout's name for the anchor. */
function prefixesFor({ rules }: Layout, tensors: Shapes, source: string): string[] {
  const called = translator(reversed(rules))(anchor)!;
  const prefixes = [...tensors.keys()].flatMap((name) => {
    const prefix = name.endsWith(called) ? name.slice(0, -called.length) : undefined;
    return prefix === '' || prefix?.endsWith('.') ? prefix : [];
  });
  if (prefixes.length > maxPrefixes) {
    throw new FormatError(
      `${source} has "${called}" for ${prefixes.length} networks, but expected at most ${maxPrefixes} in a file.`,
    );
  }
  checkTranslated(tensors, prefixes, source);
  return prefixes;
}

function checkTranslated(tensors: Shapes, prefixes: readonly string[], source: string): void {
  let translated = 0;
  for (const name of tensors.keys()) {
    for (const prefix of prefixes) if (name.startsWith(prefix)) translated += 1;
    if (translated <= maxTranslated) continue;
    throw new FormatError(
      `${source} has ${tensors.size} tensors under ${prefixes.length} prefixes of networks inside each other, which no ensemble has.`,
    );
  }
}

function namesIn({ rules }: Layout, tensors: Shapes, prefix: string): Map<string, string> {
  const translate = translator(rules);
  const names = new Map<string, string>();
  for (const name of tensors.keys()) {
    const ours = name.startsWith(prefix) ? translate(name.slice(prefix.length)) : undefined;
    if (ours !== undefined && !names.has(ours)) names.set(ours, name);
  }
  return names;
}

function unknown(tensors: Shapes, source: string): FormatError {
  const found = [...tensors.keys()].slice(0, 3).map((name) => `"${name}"`);
  const has = found.length === 0 ? 'has no tensors' : `has ${tensors.size} tensors such as ${found.join(', ')}`;
  const known = [...new Set(layouts.map(({ name }) => name))].join(', ');
  return new FormatError(
    `${source} is not a ResNeXt: it ${has}, but expected "${anchor}" or its equivalent in ${known}.`,
  );
}

/** More than a typed array can hold. */
const maxElements = 2 ** 32;

function configOf(tensors: Shapes, { names, layout, head }: Candidate, hint: string, source: string): ResNeXtConfig {
  const shapes = new Map([...names].map(([ours, name]) => [ours, checkedDims(tensors, name, source)]));
  if (typeof head === 'object') {
    shapes.set('fc.weight', checkedDims(tensors, head.weight, source)).set('fc.bias', [head.classes]);
  }
  const inferred = inferConfig(shapes, source);
  const antialias = isAntialiased(hint);
  const usualPool = antialias ? 'average' : (layout.stemPool ?? 'max');
  const stemPool = stems[inferred.stem].hasPool ? usualPool : 'max';
  const model = build({ ...inferred, antialias, stemPool }, source);
  compare(model, shapes, names, source);
  return model.config;
}

/** Whether the last architecture in a hint is anti-aliased. */
function isAntialiased(hint: string): boolean {
  const [, mark] = [...hint.matchAll(/resnex?t(aa)?[\d[]/gi)].at(-1) ?? [];
  return mark !== undefined;
}

/** Throws unless the tensors are exactly those that the model needs. */
function compare(
  model: Model,
  shapes: ReadonlyMap<string, readonly number[]>,
  names: ReadonlyMap<string, string>,
  source: string,
): void {
  const expected = `a ${variantName(model.config)}, as inferred from the other tensors,`;
  const needed = weightSpecs(model);
  for (const { name, dims } of needed) {
    const found = shapes.get(name);
    const called = `"${names.get(name) ?? name}"`;
    if (!found) throw new FormatError(`${source} has no ${called}, but ${expected} needs it as [${dims}].`);
    if (sameShape(found, dims)) continue;
    throw new FormatError(`${source}: ${called} is [${found}], but ${expected} needs [${dims}].`);
  }
  const known = new Set(needed.map(({ name }) => name));
  const extra = [...names].find(([name]) => !known.has(name) && !name.endsWith('.num_batches_tracked'));
  if (extra) throw new FormatError(`${source} has "${extra[1]}", but ${expected} does not.`);
}

function checkedDims(tensors: Shapes, name: string, source: string): readonly number[] {
  const { dims } = tensors.get(name)!;
  const sound = dims.every((size) => Number.isSafeInteger(size) && size >= 1);
  if (sound && dims.reduce((product, size) => product * size, 1) <= maxElements) return dims;
  throw new FormatError(`${source}: "${name}" is [${dims}], which is not a valid shape in a ResNeXt.`);
}

/** Builds the inferred network. An invalid config is a FormatError, as it comes from the tensors. */
function build(config: Partial<ResNeXtConfig>, source: string): Model {
  try {
    return resnext(resolveConfig(config));
  } catch (error) {
    if (error instanceof UsageError) throw new FormatError(`${source} is not a ResNeXt: ${error.message}`);
    throw error;
  }
}

/** Whether shapes are equal except for trailing axes of 1: a classifier may be stored as a 1x1 convolution. */
const sameShape = (a: readonly number[], b: readonly number[]): boolean => `${trimmed(a)}` === `${trimmed(b)}`;

const trimmed = (dims: readonly number[]): readonly number[] =>
  dims.slice(0, dims.findLastIndex((size) => size !== 1) + 1);

/** Self-supervised training saves two encoders, distillation a teacher. */
function otherNetworks(tensors: Shapes, layout: Layout, prefix: string, source: string): string[] {
  const others = prefixesFor(layout, tensors, source).filter((other) => other !== prefix);
  return others.length > 0
    ? [
        `Found networks under "${prefix}" and "${others.join('", "')}", and used the first. Choose another with key (--key).`,
      ]
    : [];
}

function antialiasNotes({ antialias, stem, shortcut, attention }: ResNeXtConfig): string[] {
  if (antialias || stem !== 'deep' || shortcut !== 'D' || attention !== 'se') return [];
  return [
    'Assumed a network without anti-aliasing, which has the same tensors as one with it. If it has, include a name such as seresnextaa101d_32x8d in the path.',
  ];
}
