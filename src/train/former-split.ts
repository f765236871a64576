/**
 * The split of runs whose checkpoints do not tell it, because an earlier version made them: each class was shuffled as a
 * whole. The first versions also validated on a folder `test` if there was no other. Which version it was is inferred from
 * the number of steps per epoch and from the best accuracy, a fraction with the number of validation images below.
 */
import { extname, join } from 'node:path';
import { type Folder, readFolder } from '../data/folder.ts';
import { type Layout, layout, subfolders } from '../data/layout.ts';
import { entries } from '../data/listing.ts';
import { permutation } from '../data/random.ts';
import type { HoldOut } from '../data/split.ts';
import { UsageError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { TrainOptions } from './options.ts';
import { areSame } from './start.ts';

const firstExtensions = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'];
const laterExtensions = [...firstExtensions, '.jpe', '.jfif', '.jfi', '.jif', '.pjpeg', '.pjp', '.apng'];

/** How a version read a folder. */
interface Version {
  readonly extensions: readonly string[];
  layout(dir: string): Promise<Layout>;
}

const versions: readonly Version[] = [
  { extensions: firstExtensions, layout: firstLayout },
  { extensions: laterExtensions, layout },
];

/**
 * Opens the images of such a run with its split.
 *
 * @throws UsageError as `openFolder`.
 */
export async function openFormer({ data, validation, seed }: TrainOptions, checkpoint: Checkpoint): Promise<Folder> {
  const read = async ({ extensions, layout }: Version) => {
    const accepts = (path: string) => extensions.includes(extname(path).toLowerCase());
    return readFolder(await layout(data), { holdOut: byShuffling(validation, seed), accepts });
  };
  const found: Folder[] = [];
  for (const version of versions) {
    const folder = await read(version).catch((error: unknown) => {
      if (!(error instanceof UsageError)) throw error;
    });
    if (folder && areSame(folder.classes, checkpoint.classes)) found.push(folder);
  }
  const [best] = found.sort((a, b) => evidence(b, checkpoint) - evidence(a, checkpoint));
  return best ?? read({ extensions: laterExtensions, layout });
}

async function firstLayout(dir: string): Promise<Layout> {
  const names = await subfolders(dir);
  const trainDir = join(dir, 'train');
  const isImage = (name: string) => firstExtensions.some((extension) => name.toLowerCase().endsWith(extension));
  const isClass =
    !names.includes('train') || (await entries(trainDir)).some(({ name, folder }) => !folder && isImage(name));
  if (isClass) return { trainDir: dir, notes: [] };
  const validation = ['val', 'validation', 'valid', 'test'].find((name) => names.includes(name));
  if (validation === undefined) return { trainDir, notes: [] };
  const notes =
    validation === 'test' ? ['This run goes on validating on "test", as the version that started it did.'] : [];
  return { trainDir, validationDir: join(dir, validation), notes };
}

const byShuffling =
  (share: number, seed: number): HoldOut =>
  (names, _, label) => {
    const wanted = share === 0 ? 0 : Math.max(1, Math.round(names.length * share));
    const order = permutation(names.length, seed, label);
    return new Set(Array.from(order.subarray(0, Math.min(wanted, names.length - 1)), (i) => names[i]!));
  };

/** How well these images explain a run's progress: 2 for the number of steps, 1 for the best accuracy. */
function evidence({ train, validation }: Folder, { options, progress }: Checkpoint): number {
  const { epoch, step, steps, best } = progress;
  const perEpoch = Math.floor(train.length / options.batch);
  const explainsSteps = epoch > 0 ? steps - step === epoch * perEpoch : step <= perEpoch;
  const correct = (best * validation.length) / 100;
  const explainsBest = Math.abs(correct - Math.round(correct)) < 1e-6 && (best === 0 || validation.length > 0);
  return 2 * Number(explainsSteps) + Number(explainsBest);
}
