/** The project as the page has it. All of it is stored in the browser, and is there again after a reload. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { FoundFile } from '../controls/files.tsx';
import { emptyProject, type Picture, type PictureClass, type Project, picturesOf } from './project.ts';
import { browserStore, clearStore, files, pictureFile, removeFile } from './store.ts';

/** Pictures whose shorter side is longer are made smaller when they are added. */
const longest = 256;
/** The list of pictures is stored after so many. */
const keptAtOnce = 20;

/** The class of a file: the folder that it is in. */
const classNameOf = (path: string): string | undefined => path.split('/').at(-2);

/** The project, its pictures, and what changes it. Undefined until it has been read from the browser. */
export function useProject() {
  const [project, setProject] = useState<Project>();
  const [adding, setAdding] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const blobs = useRef(new Map<number, Blob>());
  const urls = useRef(new Map<number, string>());
  const current = useRef(emptyProject);

  const hold = (id: number, blob: Blob) => {
    blobs.current.set(id, blob);
    urls.current.set(id, URL.createObjectURL(blob));
  };
  const show = (next: Project) => {
    current.current = next;
    setProject(next);
  };
  const keep = () =>
    keeping(setProblem, () => browserStore.write(files.project, new Blob([JSON.stringify(current.current)])));
  /** Changes what is shown at once, and then what is stored. */
  const change = (changes: (project: Project) => Partial<Project>): Promise<void> => {
    show({ ...current.current, ...changes(current.current) });
    return keep();
  };

  useEffect(() => {
    readProject(hold).then(show, (error: Error) => {
      setProblem(`What was stored could not be read: ${error.message}`);
      show(emptyProject);
    });
    return () => {
      for (const url of urls.current.values()) URL.revokeObjectURL(url);
    };
  }, []);

  const addClass = async (name: string): Promise<PictureClass> => {
    const added = { id: current.current.next, name };
    await change(({ classes, next }) => ({ classes: [...classes, added], next: next + 1 }));
    return added;
  };

  const addPicture = async (blob: Blob, name: string, to: PictureClass) => {
    const id = current.current.next;
    show({ ...current.current, next: id + 1 });
    hold(id, blob);
    await keeping(setProblem, () => browserStore.write(pictureFile(id), blob));
    const { pictures } = current.current;
    show({ ...current.current, pictures: [...pictures, { id, name, of: to.id }] });
  };

  /** Adds pictures to a class, or to the classes that their folders are. */
  const addPictures = async (found: readonly FoundFile[], to?: PictureClass) => {
    setProblem(undefined);
    const unread: string[] = [];
    for (const [i, { file, path }] of found.entries()) {
      setAdding(`Adding picture ${i + 1} of ${found.length}`);
      const blob = await keptPicture(file).catch(() => undefined);
      const name = to?.name ?? classNameOf(path);
      if (blob && name !== undefined) {
        const own = to ?? current.current.classes.find((each) => each.name === name) ?? (await addClass(name));
        await addPicture(blob, file.name, own);
      } else unread.push(path);
      if (i % keptAtOnce === 0) await keep();
    }
    await keep();
    setAdding(undefined);
    if (unread.length > 0) setProblem(unreadText(unread, to === undefined));
  };

  const removePictures = async (ids: ReadonlySet<number>) => {
    await change(({ pictures }) => ({ pictures: pictures.filter(({ id }) => !ids.has(id)) }));
    for (const id of ids) await removeFile(pictureFile(id));
  };

  return {
    project,
    adding,
    problem,
    blobs: blobs.current,
    urls: urls.current,
    addClass,
    addPictures,
    removePictures,
    rename: ({ id }: PictureClass, name: string) =>
      change(({ classes }) => ({ classes: classes.map((each) => (each.id === id ? { id, name } : each)) })),
    move: (picture: number, { id: of }: PictureClass) =>
      change(({ pictures }) => ({ pictures: pictures.map((each) => (each.id === picture ? { ...each, of } : each)) })),
    removeClass: async (given: PictureClass) => {
      await removePictures(new Set(picturesOf(current.current, given).map(({ id }) => id)));
      await change(({ classes }) => ({ classes: classes.filter(({ id }) => id !== given.id) }));
    },
    setBase: async (file: File) => {
      await keeping(setProblem, () => browserStore.write(files.base, file));
      await change(() => ({ base: file.name }));
    },
    clear: async () => {
      await clearStore();
      show(emptyProject);
    },
  };
}

async function readProject(hold: (id: number, blob: Blob) => void): Promise<Project> {
  const blob = await browserStore.read(files.project);
  if (!blob) return emptyProject;
  const project = JSON.parse(await blob.text()) as Project;
  const kept: Picture[] = [];
  for (const picture of project.pictures) {
    const contents = await browserStore.read(pictureFile(picture.id));
    if (!contents) continue; // the page was closed before it was written
    hold(picture.id, contents);
    kept.push(picture);
  }
  return { ...project, pictures: kept };
}

/** Stores something, or says why it will be gone after a reload. */
async function keeping(tell: (problem: string) => void, store: () => Promise<void>): Promise<void> {
  try {
    await store();
  } catch (error) {
    tell(`This will be gone after a reload, as the browser did not store it: ${(error as Error).message}`);
  }
}

/** The picture as it is kept: small ones as they are, others with a shorter side of 256 pixels. */
async function keptPicture(file: File): Promise<Blob> {
  const image = await createImageBitmap(file);
  const scale = longest / Math.min(image.width, image.height);
  if (scale >= 1) return file;
  const [width, height] = [image.width, image.height].map((side) => Math.round(side * scale));
  const canvas = new OffscreenCanvas(width!, height!);
  const context = canvas.getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, width!, height!);
  image.close();
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.95 });
}

function unreadText(paths: readonly string[], isByFolder: boolean): string {
  const names = paths.slice(0, 3).join(', ') + (paths.length > 3 ? ` and ${paths.length - 3} more` : '');
  const place = isByFolder ? ', or not in the folder of a class' : '';
  return `Not added, because not a picture that this browser reads${place}: ${names}.`;
}

export type ProjectState = ReturnType<typeof useProject>;
