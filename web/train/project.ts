/** What someone trains on: classes and their pictures. */
import type { TrainPicture } from './fine-tune.ts';

export interface PictureClass {
  readonly id: number;
  readonly name: string;
}

export interface Picture {
  readonly id: number;
  readonly name: string;
  /** The id of its class. */
  readonly of: number;
}

export interface Project {
  readonly classes: readonly PictureClass[];
  readonly pictures: readonly Picture[];
  /** The name of the reader's own base model, if there is one. */
  readonly base: string | undefined;
  /** The id of the next class or picture. */
  readonly next: number;
}

export const emptyProject: Project = { classes: [], pictures: [], base: undefined, next: 0 };

/** Every fifth picture of a class is held out. */
const share = 5;

/** Whether each picture is held out. Pictures that are added later do not change it for those before. */
export function heldOut(project: Project): ReadonlySet<number> {
  const own = project.classes.map(({ id }) => project.pictures.filter(({ of }) => of === id));
  return new Set(own.flatMap((pictures) => pictures.filter((_, i) => i % share === share >> 1).map(({ id }) => id)));
}

export const picturesOf = ({ pictures }: Project, { id }: PictureClass): Picture[] =>
  pictures.filter(({ of }) => of === id);

/** Why it cannot be trained yet; undefined if it can. */
export function notReady(project: Project): string | undefined {
  const counts = project.classes.map((each) => picturesOf(project, each).length);
  if (counts.length < 2) return 'Add at least two classes.';
  const least = project.classes.find((_, k) => counts[k]! < 2);
  return least && `Class ${least.name} needs at least two pictures.`;
}

/** Whether a model has the classes of the project, so that it can be gone on with. */
export const hasClasses = ({ classes }: Project, ids: readonly number[]): boolean =>
  `${classes.map(({ id }) => id)}` === `${ids}`;

/** The pictures as the engine takes them. */
export function trainPictures(project: Project, blobs: ReadonlyMap<number, Blob>): TrainPicture[] {
  const out = heldOut(project);
  const indices = new Map(project.classes.map(({ id }, k) => [id, k]));
  return project.pictures.map(({ id, name, of }) => ({
    ...{ id, name, blob: blobs.get(id)!, label: indices.get(of)! },
    isHeldOut: out.has(id),
  }));
}
