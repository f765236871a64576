/**
 * glibc gives large blocks back to the system when they are freed, but raises what it takes for large, up to 32 MiB, with
 * every such block that is. The arrays of a large net's weights raise it so far that what ONNX Runtime frees while it
 * puts filters into blocks stays with the process, up to as much as the weights once more. A threshold that is set
 * stays where it is. (mallopt(3): M_MMAP_THRESHOLD.)
 */
const largeBlocks = -3;
const glibcDefault = 128 * 1024;

/** From here on blocks of 128 KiB and more go back to the system when they are freed. Where that cannot be, nothing happens. */
export async function trimMallocThreshold(): Promise<void> {
  if (process.platform !== 'linux') return;
  try {
    const { default: koffi } = await import('koffi');
    koffi.load('libc.so.6').func('int mallopt(int, int)')(largeBlocks, glibcDefault);
  } catch {
    // without koffi, or with another C library, opening a large net takes more memory
  }
}
