/** `resnext train --open`: a run whose report is in a browser while it trains. */

import { UsageError } from '../errors.ts';
import { openInBrowser } from '../live/browser.ts';
import { LiveRun } from '../live/live-run.ts';
import { counted } from '../output/text.ts';
import type { ReportRunOptions } from '../report/run.ts';
import type { TrainHooks } from '../train/events.ts';
import type { TrainResult } from '../train/loop.ts';
import type { Output } from './output.ts';
import { progressOf } from './train-lines.ts';

/**
 * Trains, and serves the page meanwhile. The browser is opened when nothing stands in the way of the run any more.
 *
 * @param run the folder of the run.
 * @param machine the threads that the run uses, for the evaluation at its end.
 */
export async function watched(
  run: string,
  begin: (hooks: TrainHooks) => Promise<TrainResult>,
  hooks: TrainHooks,
  machine: Pick<ReportRunOptions, 'threads' | 'workers'>,
  output: Output,
): Promise<TrainResult> {
  const live = await LiveRun.open(run);
  const onEvent: TrainHooks['onEvent'] = (event) => {
    hooks.onEvent?.(event);
    if (event.event === 'start') void announce(live.url, output);
    live.onEvent(event, progressOf(event));
  };
  const result = await begin({ ...hooks, onEvent }).catch(async (error: unknown) => {
    await live.end(false).catch(() => {}); // the first error is reported
    throw error;
  });
  const onProgress = (done: number, total: number) => {
    if (hooks.signal?.aborted) throw new UsageError('It was interrupted.');
    output.progress(done / total, `evaluating for the page: ${done} of ${counted(total, 'image')}`);
  };
  await live.end(!result.interrupted, { ...machine, onProgress }).catch((error: Error) => {
    output.warn(`The page of the run could not be completed: ${error.message}`); // the run is complete
  });
  output.clear();
  return result;
}

async function announce(url: string, output: Output): Promise<void> {
  output.document({ event: 'page', url }, false);
  if (await openInBrowser(url)) return output.line(`The page of this run, while it trains: ${url}`);
  const { port } = new URL(url);
  output.line(
    `The page of this run, while it trains: ${url}\nFrom another machine: ssh -L ${port}:127.0.0.1:${port} …`,
  );
}
