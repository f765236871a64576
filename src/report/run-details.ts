/**
 * What a report reads of a run: the lines of `metrics.jsonl` and the record in `run.json`. Both may be of an earlier
 * version, edited, or cut off in the middle of a line, so anything unreadable counts as missing.
 */
import * as z from 'zod';

const share = z.number();
const scoreSchema = z.object({
  loss: z.number(),
  top1: share,
  top5: share.optional(),
  balancedAccuracy: share.optional(),
  macroF1: share.optional(),
});

const lineSchema = z.object({
  epoch: z.number(),
  loss: z.number(),
  top1: share,
  validation: scoreSchema.optional(),
  rawValidation: scoreSchema.optional(),
  learningRate: z.number(),
  seconds: z.number(),
  images: z.number().optional(),
  best: z.boolean(),
});

/**
 * The means of an epoch over its training images, and those of the validation after it: of the averaged weights if an average
 * is kept, and then also of the weights themselves. Percentages and losses.
 */
export type EpochLine = z.infer<typeof lineSchema>;

const counts = z.object({ name: z.string(), train: z.number(), validation: z.number() });
const facts = z.record(z.string(), z.unknown());
const missing = undefined;

const detailsSchema = z.object({
  state: z.string().optional().catch(missing),
  options: facts.catch({}),
  data: z
    .object({
      folder: z.string(),
      train: z.number(),
      validation: z.number(),
      validationFrom: z.string().optional(),
      classes: z.array(counts),
    })
    .optional()
    .catch(missing),
  network: z
    .object({ variant: z.string(), parameters: z.number(), trained: z.number().optional(), macs: z.number() })
    .optional()
    .catch(missing),
  versions: facts.catch({}),
  machine: facts.catch({}),
  sessions: z.array(facts).catch([]),
});

/** How a run was made, as far as its record says. */
export type RunDetails = z.infer<typeof detailsSchema>;

/** @param record the JSON of `run.json`. */
export const detailsOf = (record: unknown): RunDetails =>
  detailsSchema.safeParse(record).data ?? { options: {}, versions: {}, machine: {}, sessions: [] };

export const detailsIn = (text: string | undefined): RunDetails => detailsOf(text === undefined ? {} : json(text));

/** The epochs in the text of `metrics.jsonl`. */
export const epochsIn = (text: string): EpochLine[] =>
  text.split('\n').flatMap((line) => lineSchema.safeParse(json(line)).data ?? []);

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The epoch whose weights are the model: the last one that was the best so far. */
export const bestOf = (lines: readonly EpochLine[]): EpochLine | undefined => lines.findLast(({ best }) => best);

export const secondsOf = (lines: readonly EpochLine[]): number => lines.reduce((sum, { seconds }) => sum + seconds, 0);

/** Images per second, as most epochs had it. */
export function rateOf(lines: readonly EpochLine[], { data }: RunDetails): number | undefined {
  const rates = lines
    .map(({ images = data?.train ?? 0, seconds }) => images / seconds)
    .filter((rate) => rate > 0 && Number.isFinite(rate))
    .sort((a, b) => a - b);
  return rates[Math.floor(rates.length / 2)];
}
