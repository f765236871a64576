/**
 * glibc returns large blocks to the system when they are freed, but each time raises the threshold for large, up to 32
 * MiB. The weights of a large network raise it so far that the process keeps the memory that ONNX Runtime frees while it
 * reorders filters, up to the size of the weights. A threshold that is set explicitly is not raised. (mallopt(3):
 * M_MMAP_THRESHOLD.)
 */
const largeBlocks = -3;
const glibcDefault = 128 * 1024;

/** Makes freed blocks of 128 KiB and more return to the system from now on. Does nothing if that is not possible. */
export async function trimMallocThreshold(): Promise<void> {
  if (process.platform !== 'linux') return;
  try {
    const { default: koffi } = await import('koffi');
    koffi.load('libc.so.6').func('int mallopt(int, int)')(largeBlocks, glibcDefault);
  } catch {
    // without koffi, or with another C library, opening a large network takes more memory
  }
}
