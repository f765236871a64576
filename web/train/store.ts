/** Files of a training that stay in the browser when the page is closed: its origin's private file system. */

export interface Store {
  read(name: string): Promise<Blob | undefined>;
  /** Writes a file whole, or leaves the one before. */
  write(name: string, contents: Uint8Array<ArrayBuffer> | Blob): Promise<void>;
}

/** The names of all files but the pictures. */
export const files = {
  /** Classes and pictures. */
  project: 'project.json',
  /** The model to start from, if it is a file of the reader's. */
  base: 'base',
  model: 'model.safetensors',
  /** What training goes on from. */
  state: 'state.safetensors',
  progress: 'progress.json',
} as const;

const folder = 'train';

const opened = async (): Promise<FileSystemDirectoryHandle> =>
  (await navigator.storage.getDirectory()).getDirectoryHandle(folder, { create: true });

/** The file of a picture. */
export const pictureFile = (id: number): string => `picture-${id}`;

export const browserStore: Store = {
  async read(name) {
    try {
      return await (await (await opened()).getFileHandle(name)).getFile();
    } catch (error) {
      if ((error as DOMException).name === 'NotFoundError') return undefined;
      throw error;
    }
  },
  async write(name, contents) {
    const file = await (await (await opened()).getFileHandle(name, { create: true })).createWritable();
    await file.write(contents);
    await file.close();
  },
};

export async function removeFile(name: string): Promise<void> {
  await (await opened()).removeEntry(name).catch(() => {}); // it may never have been written
}

/** Removes everything that a training has stored. */
export async function clearStore(): Promise<void> {
  await (await navigator.storage.getDirectory()).removeEntry(folder, { recursive: true });
}
