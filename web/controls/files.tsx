/** Files that are chosen, dropped anywhere on the page, or pasted. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

/** A file, and its path below what was dropped or chosen, such as `flowers/rose/1.jpg`. */
export interface FoundFile {
  readonly file: File;
  readonly path: string;
}

interface FileButtonProps {
  readonly label: string;
  /** As of an input; any file unless given. */
  readonly accept?: string;
  /** Whether a folder is chosen, with all that is in it. */
  readonly isFolder?: boolean;
  readonly onFiles: (files: readonly FoundFile[]) => void;
}

/** A button that opens the system's dialog for files. */
export function FileButton({ label, accept, isFolder = false, onFiles }: FileButtonProps) {
  return (
    <label class="file">
      <span>{label}</span>
      <input
        type="file"
        multiple
        {...(accept !== undefined && { accept })}
        {...(isFolder && { webkitdirectory: true })}
        onChange={({ currentTarget }) => {
          onFiles(
            [...(currentTarget.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name })),
          );
          currentTarget.value = ''; // so that the same file can be chosen again
        }}
      />
    </label>
  );
}

/** Calls back with files that are dropped on the page or pasted. Returns whether some are held over it. */
export function useDropped(onFiles: (files: readonly FoundFile[]) => void): boolean {
  const [isOver, setOver] = useState(false);
  const latest = useRef(onFiles);
  latest.current = onFiles;
  useEffect(() => {
    const take = async (data: DataTransfer | null) => {
      const files = await filesOf(data);
      if (files.length > 0) latest.current(files);
    };
    const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes('Files') ?? false;
    const over = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = ({ relatedTarget }: DragEvent) => relatedTarget === null && setOver(false);
    const drop = (event: DragEvent) => {
      setOver(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      void take(event.dataTransfer);
    };
    const paste = ({ clipboardData }: ClipboardEvent) => void take(clipboardData);
    const listeners = { dragover: over, dragleave: leave, drop, paste } as const;
    for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener as EventListener);
    return () => {
      for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener as EventListener);
    };
  }, []);
  return isOver;
}

/** All files of a drop, also those in folders. */
async function filesOf(data: DataTransfer | null): Promise<FoundFile[]> {
  // Both lists are empty as soon as the event is over.
  const items = [...(data?.items ?? [])].map((item) => item.webkitGetAsEntry?.() ?? undefined);
  const files = [...(data?.files ?? [])];
  const isPlain = items.every((entry) => !entry?.isDirectory);
  if (isPlain) return files.map((file) => ({ file, path: file.name }));
  return (await Promise.all(items.map((entry) => (entry ? filesBelow(entry) : [])))).flat();
}

async function filesBelow(entry: FileSystemEntry): Promise<FoundFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ file, path: entry.fullPath.replace(/^\//, '') }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    // A reader gives a hundred entries at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(filesBelow))).flat();
}

/** A frame over the page while files are held over it. */
export const DropFrame = ({ children }: { readonly children: ComponentChildren }) => (
  <div class="drop" aria-hidden="true">
    <p>{children}</p>
  </div>
);
