/**
 * A limit on the time that decoding one image takes. Only seconds in which this thread gets to run are counted, so that a
 * process that is stopped and continued later, or waits for the processor, does not lose an image.
 */

/** A photo of 100 megapixels takes a few seconds. */
export const secondsPerImage = 60;

/**
 * Returns what `action` returns, or throws if that takes too long; `action` may then still be busy. An action that gives up
 * by itself, because by the clock its time is over, is run again until it is.
 */
export async function withinTime<T>(action: () => Promise<T>): Promise<T> {
  let seconds = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      if (++seconds >= secondsPerImage) reject(new Error(`decoding it takes more than ${secondsPerImage} seconds`));
    }, 1000);
  });
  try {
    return await Promise.race([attempt(action, () => seconds < secondsPerImage - 1), late]);
  } finally {
    clearInterval(timer);
  }
}

async function attempt<T>(action: () => Promise<T>, isEarly: () => boolean): Promise<T> {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('timeout:') && isEarly())) throw error;
    }
  }
}
